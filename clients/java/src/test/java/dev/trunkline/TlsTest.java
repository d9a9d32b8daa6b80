package dev.trunkline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.trunkline.v1.GetSessionRequest;
import dev.trunkline.v1.GetSessionResponse;
import dev.trunkline.v1.SessionServiceGrpc;
import io.grpc.Grpc;
import io.grpc.Server;
import io.grpc.TlsServerCredentials;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TlsTest {
  private static final char[] PASSWORD = "secret".toCharArray();

  @TempDir static Path folder;
  private static Server server;

  /** A certificate that is its own authority: {@code name.pem} and {@code name.key}. */
  private static void certificate(String name) throws IOException, InterruptedException, GeneralSecurityException {
    Path store = folder.resolve(name + ".p12");
    String keytool = Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
    Process made =
        new ProcessBuilder(
                keytool, "-genkeypair", "-keyalg", "EC", "-alias", name, "-dname", "CN=" + name, "-ext",
                "san=dns:localhost", "-ext", "bc:c", "-keystore", store.toString(), "-storepass", new String(PASSWORD))
            .redirectErrorStream(true)
            .start();
    String said = new String(made.getInputStream().readAllBytes());
    assertEquals(0, made.waitFor(), said);
    KeyStore keys = KeyStore.getInstance("PKCS12");
    try (InputStream bytes = Files.newInputStream(store)) {
      keys.load(bytes, PASSWORD);
    }
    write(name + ".pem", "CERTIFICATE", keys.getCertificate(name).getEncoded());
    write(name + ".key", "PRIVATE KEY", keys.getKey(name, PASSWORD).getEncoded());
  }

  private static void write(String file, String kind, byte[] content) throws IOException {
    String body = Base64.getMimeEncoder().encodeToString(content);
    Files.writeString(folder.resolve(file), "-----BEGIN " + kind + "-----\n" + body + "\n-----END " + kind + "-----\n");
  }

  @BeforeAll
  static void serve() throws Exception {
    certificate("service");
    certificate("caller");
    var credentials =
        TlsServerCredentials.newBuilder()
            .keyManager(folder.resolve("service.pem").toFile(), folder.resolve("service.key").toFile())
            .trustManager(folder.resolve("caller.pem").toFile())
            .clientAuth(TlsServerCredentials.ClientAuth.REQUIRE)
            .build();
    server = Grpc.newServerBuilderForPort(0, credentials).addService(new Sessions()).build().start();
  }

  @AfterAll
  static void stop() {
    server.shutdownNow();
  }

  private static final class Sessions extends SessionServiceGrpc.SessionServiceImplBase {
    @Override
    public void getSession(GetSessionRequest request, StreamObserver<GetSessionResponse> caller) {
      GetSessionResponse.Builder response = GetSessionResponse.newBuilder();
      response.getSessionBuilder().setSessionId(request.getSessionId());
      caller.onNext(response.build());
      caller.onCompleted();
    }
  }

  private static TrunklineBuilder builder() {
    return Trunkline.builder("localhost:" + server.getPort());
  }

  @Test
  void filesSayWhomToTrustAndWhoTheClientIs() {
    var secure =
        builder()
            .tls(folder.resolve("service.pem"))
            .certificate(folder.resolve("caller.pem"), folder.resolve("caller.key"));
    try (Trunkline client = secure.build()) {
      assertEquals("s", client.getSession("s").sessionId());
    }
  }

  @Test
  void aServiceThatNoAuthorityVouchesForIsNotSpokenTo() {
    var secure = builder().certificate(folder.resolve("caller.pem"), folder.resolve("caller.key"));
    try (Trunkline client = secure.build()) {
      assertThrows(TrunklineException.ConnectionFailed.class, () -> client.getSession("s"));
    }
  }

  @Test
  void aClientWithoutACertificateIsRefused() {
    try (Trunkline client = builder().tls(folder.resolve("service.pem")).build()) {
      assertThrows(TrunklineException.ConnectionFailed.class, () -> client.getSession("s"));
    }
  }

  @Test
  void aFileThatCannotBeReadIsNamed() {
    Path absent = folder.resolve("absent.pem");
    var error = assertThrows(UncheckedIOException.class, () -> builder().tls(absent).build());
    assertTrue(error.getMessage().contains("absent.pem"), error.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {"odd", "-----BEGIN CERTIFICATE-----\nb2Rk\n-----END CERTIFICATE-----\n"})
  void aFileThatHoldsSomethingElseIsNamed(String content) throws IOException {
    Path odd = Files.writeString(folder.resolve("odd.pem"), content);
    for (TrunklineBuilder secure :
        List.of(builder().tls(odd), builder().certificate(folder.resolve("caller.pem"), odd))) {
      var error = assertThrows(IllegalArgumentException.class, secure::build);
      assertTrue(error.getMessage().contains("odd.pem: holds no "), error.getMessage());
    }
  }
}
