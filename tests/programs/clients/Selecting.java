import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;

/**
 * Java's java.nio: 20 non-blocking channels in one Selector, five requests one after the other on
 * each. The channels are registered before they are connected, and the bodies are written in pieces.
 */
public class Selecting {
  static final int CHANNELS = 20;
  static final int REQUESTS = 5;

  static class Client {
    final int number;
    final StringBuilder seen = new StringBuilder();
    final ByteBuffer in = ByteBuffer.allocateDirect(1 << 18);
    ByteBuffer out;
    int asked;

    Client(int number) {
      this.number = number;
    }

    void nextRequest(URI origin) {
      byte[] body = "x".repeat(asked * 50000).getBytes(StandardCharsets.US_ASCII);
      String path = (body.length > 0 ? "POST /echo" : "GET /text?size=200000") ;
      path += (path.contains("?") ? "&" : "?") + "client=" + number + "-" + asked;
      byte[] head = (path + " HTTP/1.1\r\nHost: " + origin.getAuthority() + "\r\nContent-Length: " + body.length
          + "\r\n\r\n").getBytes(StandardCharsets.US_ASCII);
      out = ByteBuffer.allocateDirect(head.length + body.length).put(head).put(body).flip();
      in.clear();
      ++asked;
    }

    /** The length of the response in `in`, or -1 when it is not all there. */
    int whole() {
      byte[] bytes = new byte[in.position()];
      in.duplicate().flip().get(bytes);
      String text = new String(bytes, StandardCharsets.ISO_8859_1);
      int end = text.indexOf("\r\n\r\n");
      if (end < 0) return -1;
      int at = text.indexOf("Content-Length: ") + 16;
      int length = end + 4 + Integer.parseInt(text.substring(at, text.indexOf('\r', at)));
      if (bytes.length < length) return -1;
      seen.append(number).append(' ').append(text, 0, text.indexOf('\r')).append(' ').append(text.hashCode())
          .append(' ').append(text.length()).append('\n');
      return length;
    }
  }

  public static void main(String[] arguments) throws Exception {
    URI origin = URI.create(arguments[0]);
    Client[] clients = new Client[CHANNELS];
    int open = CHANNELS;
    try (Selector selector = Selector.open()) {
      for (int i = 0; i < CHANNELS; ++i) {
        clients[i] = new Client(i);
        SocketChannel channel = SocketChannel.open();
        channel.configureBlocking(false);
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        SelectionKey key = channel.register(selector, SelectionKey.OP_CONNECT, clients[i]);
        // Only here is it registered with the kernel, which calls an unconnected socket hung up.
        selector.selectNow();
        selector.selectedKeys().clear();
        if (channel.connect(new InetSocketAddress(origin.getHost(), origin.getPort()))) {
          key.interestOps(SelectionKey.OP_WRITE);
        }
        clients[i].nextRequest(origin);
      }
      while (open > 0) {
        if (selector.select(20000) == 0) throw new Exception("nothing happens");
        for (SelectionKey key : selector.selectedKeys()) {
          SocketChannel channel = (SocketChannel) key.channel();
          Client client = (Client) key.attachment();
          if (key.isConnectable() && channel.finishConnect()) {
            key.interestOps(SelectionKey.OP_WRITE);
          } else if (key.isWritable()) {
            channel.write(client.out);
            if (!client.out.hasRemaining()) key.interestOps(SelectionKey.OP_READ);
          } else if (key.isReadable()) {
            if (channel.read(client.in) < 0) throw new Exception("the connection ended");
            if (client.whole() < 0) continue;
            if (client.asked < REQUESTS) {
              client.nextRequest(origin);
              key.interestOps(SelectionKey.OP_WRITE);
            } else {
              client.seen.append(channel.getRemoteAddress().equals(
                  new InetSocketAddress(origin.getHost(), origin.getPort()))).append('\n');
              channel.close();
              --open;
            }
          }
        }
        selector.selectedKeys().clear();
      }
    }
    for (Client client : clients) System.out.print(client.seen);
  }
}
