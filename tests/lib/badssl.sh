# shellcheck shell=bash
# Certificates with everything that can be wrong with one, and the servers that show them (badssl.py). Source it behind
# harness.sh.

# badssl_certificates: makes $T/bad: ca.pem whom the tests' clients trust, and NAME.chain, NAME.key for each server.
badssl_certificates() {
  mkdir "$T/bad"
  (
    cd "$T/bad" || exit
    root ca && root stranger && root retired
    local=subjectAltName=DNS:localhost,IP:127.0.0.1
    usage='extendedKeyUsage=serverAuth'
    certificate good ca "$local\n$usage"
    # Nothing is wrong with these for a program that trusts ca.
    authority_by ca middle
    certificate intermediate middle "$local" && append intermediate middle
    certificate root-sent ca "$local" && append root-sent ca
    certificate disorder middle "$local" && append disorder ca middle
    certificate surplus ca "$local" && append surplus stranger middle
    key='rsa:2048' certificate rsa ca "$local"
    certificate wildcard ca 'subjectAltName=DNS:*.wild.test'
    certificate address ca subjectAltName=IP:127.0.0.1
    certificate details ca "$local\n$usage\nkeyUsage=critical,digitalSignature\ncertificatePolicies=2.23.140.1.2.1\n\
authorityInfoAccess=OCSP;URI:http://ocsp.invalid/\ncrlDistributionPoints=URI:http://crl.invalid/"
    # And with these something is.
    certificate missing middle "$local"
    days='-startdate 20200101000000Z -enddate 20210101000000Z' certificate expired ca "$local"
    days='-startdate 20990101000000Z -enddate 21000101000000Z' certificate not-yet ca "$local"
    certificate wrong ca subjectAltName=DNS:wrong.test,DNS:other.test
    subject=/CN=localhost certificate no-names ca basicConstraints=CA:FALSE
    subject=/CN=wrong.test certificate wrong-subject ca basicConstraints=CA:FALSE
    certificate unknown stranger "$local"
    certificate unknown-root stranger "$local" && append unknown-root stranger
    self self localhost "$local"
    self self-wrong wrong.test subjectAltName=DNS:wrong.test
    self self-authority localhost "$local\nbasicConstraints=critical,CA:TRUE"
    certificate unknown-expired-wrong stranger subjectAltName=DNS:wrong.test
    key='rsa:1024' certificate weak ca "$local"
    digest='-md sha1' certificate sha1 ca "$local"
    certificate purpose ca "$local\nextendedKeyUsage=clientAuth"
    certificate key-usage ca "$local\nkeyUsage=critical,cRLSign"
    certificate unhandled ca "$local\n1.2.3.4.5=critical,DER:0500"
    certificate by-a-leaf good "$local" && append by-a-leaf good
    days='-startdate 20200101000000Z -enddate 20210101000000Z' authority_by ca old-middle
    certificate old-intermediate old-middle "$local" && append old-intermediate old-middle
    certificate revoked ca "$local"
    openssl ca -config ca.cnf -revoke revoked.pem && openssl ca -config ca.cnf -gencrl -out ca.crl -crldays 30
  ) >"$T/bad.log" 2>&1
  [ -s "$T/bad/ca.crl" ] && return
  tail -n 20 "$T/bad.log"
  not_ok badssl "the certificates cannot be made"
  finish
}

badssl_key() { # NAME SUBJECT: NAME.key, NAME.csr
  local kind=(-newkey ec -pkeyopt ec_paramgen_curve:P-256)
  [ -z "${key:-}" ] || kind=(-newkey "$key")
  openssl req "${kind[@]}" -nodes -keyout "$1.key" -out "$1.csr" -subj "$2"
}
# Everything is made by `openssl ca`, which alone sets dates.
sign() { # NAME ISSUER EXTENSIONS
  printf "%b\n" "$3" >"$1.ext"
  [ -e "$2.cnf" ] || {
    printf '[ca]\ndefault_ca=it\n[it]\ndatabase=%s.index\nserial=serial\nnew_certs_dir=.\ncertificate=%s.pem\nprivate_key=%s.key\n
default_md=sha256\npolicy=any\ndefault_crl_days=30\ndefault_days=30\nunique_subject=no\n[any]\ncountryName=optional\norganizationName=optional\n
commonName=optional\n' "$2" "$2" "$2" >"$2.cnf"
    : >"$2.index"
    [ -e serial ] || echo 1000 >serial
  }
  # shellcheck disable=SC2086
  openssl ca -batch -config "$2.cnf" -in "$1.csr" -out "$1.pem" -notext -extfile "$1.ext" ${digest:-} ${days:--days 30} $4
}
root() { # NAME
  badssl_key "$1" "/CN=Private root $1"
  sign "$1" "$1" 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash' -selfsign
}
authority_by() { # ISSUER NAME
  badssl_key "$2" "/CN=Private authority $2"
  sign "$2" "$1" 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash' ''
}
certificate() { # NAME ISSUER EXTENSIONS
  badssl_key "$1" "${subject:-/C=DE/O=Some organization/CN=$1}"
  case $3 in
    *basicConstraints*) sign "$1" "$2" "$3\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid" '' ;;
    *) sign "$1" "$2" "$3\nbasicConstraints=critical,CA:FALSE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid" '' ;;
  esac
  cp "$1.pem" "$1.chain"
}
self() { # NAME COMMON_NAME EXTENSIONS
  badssl_key "$1" "/CN=$2"
  sign "$1" "$1" "$3" -selfsign
  cp "$1.pem" "$1.chain"
}
append() { # NAME CERTIFICATE...
  local chain=$1.chain one
  shift
  for one in "$@"; do cat "$one.pem" >>"$chain"; done
}


# badssl_start: the servers; `port_of NAME`. They end with this script.
badssl_start() {
  "$PYTHON" "$TESTS/lib/badssl.py" "$T/bad" $$ 2>"$T/bad/server.log" &
  BADSSL_PID=$!
  started="${started:-} $BADSSL_PID"
  wait_for_file "$T/bad/ports" && return
  cat "$T/bad/server.log"
  not_ok badssl "the servers did not start"
  finish
}
badssl_stop() {
  kill "$BADSSL_PID" 2>/dev/null
  wait "$BADSSL_PID" 2>/dev/null
}
port_of() { awk -v name="$1" '$1 == name { print $2 }' "$T/bad/ports"; }
