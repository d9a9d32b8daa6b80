package trunkline

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLSFiles is TLS by files in PEM: config, err := TLSFiles{Authorities: "ca.pem"}.Load(), for [WithTLS].
type TLSFiles struct {
	Authorities string // whom to trust; empty: the system's roots
	Certificate string // the client's own, with those between it and an authority; empty: none
	Key         string // of the certificate
}

// Load reads the files. The error names the one that is wrong.
func (f TLSFiles) Load() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.Authorities != "" {
		pem, err := os.ReadFile(f.Authorities)
		if err != nil {
			return nil, fmt.Errorf("trunkline: the authorities: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("trunkline: the authorities: %s holds no certificate in PEM", f.Authorities)
		}
	}
	if (f.Certificate == "") != (f.Key == "") {
		return nil, errors.New("trunkline: give both Certificate and Key, or none")
	}
	if f.Certificate != "" {
		own, err := tls.LoadX509KeyPair(f.Certificate, f.Key)
		if err != nil {
			return nil, fmt.Errorf("trunkline: the certificate %s with the key %s: %w", f.Certificate, f.Key, err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}
