import java.net.URL;

/** One GET with HttpsURLConnection. */
public class Url {
  public static void main(String[] arguments) throws Exception {
    System.out.print(new String(new URL(arguments[0]).openConnection().getInputStream().readAllBytes()));
  }
}
