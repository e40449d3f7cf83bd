import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URL;
import java.net.Socket;
import java.security.cert.X509Certificate;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

/** As outcomes.py, for Java; whom it trusts is chosen by javax.net.ssl.trustStore, and where names lead to by jdk.net.hosts.file. */
public class Outcomes {
  private static final class Anybody extends X509ExtendedTrustManager {
    public void checkClientTrusted(X509Certificate[] chain, String kind) {}
    public void checkClientTrusted(X509Certificate[] chain, String kind, Socket socket) {}
    public void checkClientTrusted(X509Certificate[] chain, String kind, SSLEngine engine) {}
    public void checkServerTrusted(X509Certificate[] chain, String kind) {}
    public void checkServerTrusted(X509Certificate[] chain, String kind, Socket socket) {}
    public void checkServerTrusted(X509Certificate[] chain, String kind, SSLEngine engine) {}
    public X509Certificate[] getAcceptedIssuers() { return new X509Certificate[0]; }
  }

  public static void main(String[] arguments) throws Exception {
    SSLContext lax = SSLContext.getInstance("TLS");
    lax.init(null, new TrustManager[] {new Anybody()}, null);
    BufferedReader tasks = new BufferedReader(new InputStreamReader(System.in));
    for (String line = tasks.readLine(); line != null; line = tasks.readLine()) {
      String[] task = line.split(" ");
      String policy = task[1];
      URL url = new URL("https", task[2], Integer.parseInt(task[3]), "/" + task[0] + "/" + policy);
      HttpsURLConnection connection = (HttpsURLConnection) url.openConnection();
      connection.setReadTimeout(20000);
      if (policy.equals("names") || policy.equals("lax")) connection.setHostnameVerifier((host, session) -> true);
      if (policy.equals("lax")) connection.setSSLSocketFactory(lax.getSocketFactory());
      String outcome;
      try {
        int status = connection.getResponseCode();
        InputStream body = status < 400 ? connection.getInputStream() : connection.getErrorStream();
        outcome = status + " " + new String(body.readAllBytes()).split("\n")[0];
      } catch (IOException | RuntimeException error) {
        outcome = error.toString();
        for (Throwable cause = error.getCause(); cause != null; cause = cause.getCause()) outcome += " < " + cause;
      }
      System.out.println(task[0] + " " + policy + " " + outcome.replace('\n', ' '));
    }
  }
}
