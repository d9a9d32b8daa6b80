package trunkline_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	trunkline "github.com/trunkline/trunkline/clients/go"
	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

// certificate makes one that is its own authority.
func certificate(t *testing.T, folder, name string) trunkline.TLSFiles {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	own, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(file, kind string, content []byte) string {
		path := filepath.Join(folder, file)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return trunkline.TLSFiles{
		Certificate: write(name+".pem", "CERTIFICATE", own), Key: write(name+".key", "PRIVATE KEY", private),
	}
}

func load(t *testing.T, files trunkline.TLSFiles) *tls.Config {
	t.Helper()
	config, err := files.Load()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestFilesSayWhomToTrustAndWhoTheClientIs(t *testing.T) {
	folder := t.TempDir()
	service, caller := certificate(t, folder, "service"), certificate(t, folder, "caller")
	config := load(t, service)
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = load(t, trunkline.TLSFiles{Authorities: caller.Certificate}).RootCAs
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	pb.RegisterSessionServiceServer(server, &fake{session: &pb.Session{SessionId: "s"}})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)

	both := trunkline.TLSFiles{Authorities: service.Certificate, Certificate: caller.Certificate, Key: caller.Key}
	for name, test := range map[string]struct {
		files trunkline.TLSFiles
		kind  error
	}{
		"both":                    {both, nil},
		"an unknown authority":    {caller, trunkline.ErrConnectionFailed},
		"without its certificate": {trunkline.TLSFiles{Authorities: both.Authorities}, trunkline.ErrConnectionFailed},
	} {
		client, err := trunkline.Dial(listener.Addr().String(), trunkline.WithTLS(load(t, test.files)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Session(t.Context(), "s"); !errors.Is(err, test.kind) {
			t.Errorf("%s: got %v", name, err)
		}
		_ = client.Close()
	}
}

func TestAFileThatIsWrongIsNamed(t *testing.T) {
	folder := t.TempDir()
	odd := filepath.Join(folder, "odd.pem")
	if err := os.WriteFile(odd, []byte("odd"), 0o600); err != nil {
		t.Fatal(err)
	}
	own := certificate(t, folder, "own")
	for _, test := range []struct {
		files trunkline.TLSFiles
		want  string
	}{
		{trunkline.TLSFiles{Authorities: "absent.pem"}, "absent.pem"},
		{trunkline.TLSFiles{Authorities: odd}, "odd.pem holds no certificate in PEM"},
		{trunkline.TLSFiles{Certificate: own.Certificate}, "give both Certificate and Key, or none"},
		{trunkline.TLSFiles{Certificate: own.Certificate, Key: odd}, "odd.pem"},
		{trunkline.TLSFiles{Certificate: odd, Key: own.Key}, "odd.pem"},
	} {
		if _, err := test.files.Load(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}
