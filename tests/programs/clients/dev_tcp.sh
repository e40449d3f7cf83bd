#!/bin/bash
# HTTP by hand through bash's /dev/tcp. Its writes leave from inside libc, and children write to and read from a
# connection that they did not make.
host=$1 port=$2

echo "-- one request, by the shell itself"
exec 3<>"/dev/tcp/$host/$port"
printf 'GET /text?1 HTTP/1.0\r\n\r\n' >&3
while IFS= read -r line <&3; do echo "$line"; done
exec 3>&-

echo "-- two requests on one connection"
exec 3<>"/dev/tcp/$host/$port"
for i in 2 3; do
  printf 'GET /text?%s HTTP/1.1\r\nHost: %s:%s\r\n\r\n' "$i" "$host" "$port" >&3
  while IFS= read -r line <&3; do
    echo "$line"
    [[ $line == this* ]] && break
  done
done
exec 3>&-

echo "-- asked and read by children"
exec 3<>"/dev/tcp/$host/$port"
env printf 'GET /until-close HTTP/1.1\r\nHost: %s\r\n\r\n' "$host" >&3
cat <&3 | cksum
exec 3>&-

echo "-- asked in pieces"
exec 3<>"/dev/tcp/$host/$port"
for piece in 'POST /echo HTTP/1.0\r' '\nContent-Le' 'ngth: 6\r\n\r\nab' 'cd' 'ef'; do printf "$piece" >&3; done
cat <&3
exec 3>&-

echo "-- in the background"
for i in 4 5 6; do
  (
    exec 3<>"/dev/tcp/$host/$port"
    printf 'GET /text?%s HTTP/1.0\r\n\r\n' "$i" >&3
    cat <&3 | tail -n 1
  ) &
done | sort
wait
