"""Asks each server of a list, and says how that ended.

    outcomes.py CA_FILE CRL_FILE <tasks        a task: NAME POLICY HOST PORT

POLICY: strict (CA_FILE), names (whatever the name), crl (CRL_FILE too), lax (whatever it shows), system (no CA_FILE).
"""
import http.client
import socket
import ssl
import sys

CA_FILE, CRL_FILE = sys.argv[1:]


class Connection(http.client.HTTPSConnection):
    """To loopback, whatever the name."""

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


def context_for(policy):
    context = ssl.create_default_context(cafile=None if policy == "system" else CA_FILE)
    if policy in ("names", "lax"):
        context.check_hostname = False
    if policy == "lax":
        context.verify_mode = ssl.CERT_NONE
    if policy == "crl":
        context.load_verify_locations(CRL_FILE)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


contexts = {}
for line in sys.stdin:
    name, policy, host, port = line.split()
    if policy not in contexts:
        contexts[policy] = context_for(policy)
    connection = Connection(host, int(port), timeout=20, context=contexts[policy])
    try:
        connection.request("GET", "/%s/%s" % (name, policy))
        response = connection.getresponse()
        outcome = "%d %s" % (response.status, response.read().decode().split("\n")[0])
    except Exception as error:
        outcome = "%s %s %s" % (type(error).__name__, getattr(error, "verify_code", getattr(error, "errno", None)), error)
    connection.close()
    print(name, policy, outcome, flush=True)
