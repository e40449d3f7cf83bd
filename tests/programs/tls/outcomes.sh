# shellcheck shell=bash
# As outcomes.py, for programs that ask one server each.
#
#   outcomes.sh curl|wget CA_FILE CRL_FILE <tasks
client=$1 ca=$2 crl=$3
while read -r name policy host port; do
  case $client-$policy in
    *-system) options=() ;;
    wget-lax) options=(--no-check-certificate) ;;
    wget-crl) options=(--ca-certificate="$ca" --crl-file="$crl") ;;
    wget-*) options=(--ca-certificate="$ca") ;;
    *-lax) options=(-k) ;;
    *-crl) options=(--cacert "$ca" --crlfile "$crl") ;;
    *) options=(--cacert "$ca") ;;
  esac
  url=https://$host:$port/$name/$policy
  if [ "$client" = wget ]; then
    said=$(wget -nv -t 1 -T 20 -O- "${options[@]}" "$url" 2>&1 </dev/null)
  else
    said=$(curl -sS -m 20 -w ' %{http_code} %{ssl_verify_result}' --connect-to "::127.0.0.1:" "${options[@]}" "$url" 2>&1 </dev/null)
  fi
  echo "$name $policy $? ${said//$'\n'/ | }"
done
