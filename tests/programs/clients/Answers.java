// Java's three ways to speak HTTP, one after the other in one process, since its start is slow. See
// tests/lib/answers.sh.
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;

public class Answers {
  static final byte[] BODY = "0123456789abcdef".repeat(1 << 17).getBytes();

  public static void main(String[] arguments) throws Exception {
    HttpClient eleven = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1)
        .followRedirects(HttpClient.Redirect.NORMAL).connectTimeout(Duration.ofSeconds(20)).build();
    HttpClient upgrading = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(20)).build();
    for (int i = 1; i < arguments.length; i++) {
      String method = arguments[i].substring(0, arguments[i].indexOf('/'));
      String url = arguments[0] + arguments[i].substring(method.length());
      System.out.println(arguments[i]);
      urlConnection(method, url);
      client(eleven, method, url);
      client(upgrading, method, url);
    }
    // The clients' own threads would keep the process for a while.
    System.exit(0);
  }

  static void urlConnection(String method, String url) throws Exception {
    HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
    connection.setRequestMethod(method);
    connection.setReadTimeout(20000);
    if (method.equals("POST")) {
      connection.setDoOutput(true);
      connection.setFixedLengthStreamingMode(BODY.length);
      connection.getOutputStream().write(BODY);
    }
    int status = connection.getResponseCode();
    StringBuilder headers = new StringBuilder();
    for (int i = 0; connection.getHeaderField(i) != null; i++)
      headers.append(connection.getHeaderFieldKey(i) + "=" + connection.getHeaderField(i) + " ");
    try (InputStream in = status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
      show("HttpURLConnection", status, headers.toString(), in == null ? new byte[0] : in.readAllBytes());
    }
  }

  static void client(HttpClient client, String method, String url) throws Exception {
    HttpRequest.BodyPublisher body = method.equals("POST") ? HttpRequest.BodyPublishers.ofByteArray(BODY)
        : HttpRequest.BodyPublishers.noBody();
    HttpRequest request = HttpRequest.newBuilder(URI.create(url)).method(method, body)
        .timeout(Duration.ofSeconds(20)).build();
    HttpResponse<byte[]> response = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
    show("HttpClient " + client.version(), response.statusCode(), response.headers().map().toString(),
        response.body());
  }

  static void show(String client, int status, String headers, byte[] body) throws Exception {
    System.out.println(client + " " + status + " " + headers + " " + body.length + " "
        + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body)));
  }
}
