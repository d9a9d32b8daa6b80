package dev.trunkline;

import io.grpc.ChannelCredentials;
import io.grpc.TlsChannelCredentials;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.util.Optional;

/**
 * TLS by files in PEM.
 *
 * @param authorities whom the client trusts; empty: whom the JVM trusts
 * @param certificate the client's own; empty: it has none
 */
record Tls(Optional<Path> authorities, Optional<Certificate> certificate) {
  static final Tls DEFAULT = new Tls(Optional.empty(), Optional.empty());

  /**
   * The client's own certificate.
   *
   * @param chain the certificate, and those between it and an authority
   * @param key its key, in PKCS 8
   */
  record Certificate(Path chain, Path key) {}

  Tls trusting(Path authorities) {
    return new Tls(Optional.of(authorities), certificate);
  }

  Tls with(Path chain, Path key) {
    return new Tls(authorities, Optional.of(new Certificate(chain, key)));
  }

  /** Reads the files. One that cannot be read, or holds something else, is named. */
  ChannelCredentials credentials() {
    TlsChannelCredentials.Builder builder = TlsChannelCredentials.newBuilder();
    try {
      if (authorities.isPresent()) {
        builder.trustManager(certificates(authorities.get()));
      }
      if (certificate.isPresent()) {
        builder.keyManager(certificates(certificate.get().chain()), key(certificate.get().key()));
      }
      return builder.build();
    } catch (IOException unreadable) {
      throw new UncheckedIOException("cannot be read: " + unreadable.getMessage(), unreadable);
    }
  }

  private static InputStream certificates(Path file) throws IOException {
    byte[] content = Files.readAllBytes(file);
    try {
      if (CertificateFactory.getInstance("X.509").generateCertificates(new ByteArrayInputStream(content)).isEmpty()) {
        throw new IllegalArgumentException(file + ": holds no certificate in PEM");
      }
    } catch (CertificateException broken) {
      throw new IllegalArgumentException(file + ": holds no certificate in PEM", broken);
    }
    return new ByteArrayInputStream(content);
  }

  private static InputStream key(Path file) throws IOException {
    byte[] content = Files.readAllBytes(file);
    if (!new String(content, StandardCharsets.ISO_8859_1).contains("-----BEGIN PRIVATE KEY-----")) {
      throw new IllegalArgumentException(file + ": holds no key in PEM (PKCS 8, without a password)");
    }
    return new ByteArrayInputStream(content);
  }
}
