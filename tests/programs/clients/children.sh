#!/bin/bash
# Children that ask for the same thing: the origin numbers its answers, and each child has to get one of its own.
if [ "$2" = in-turn ]; then
  for i in 1 2 3 4 5 6; do curl -sS "$1/turn?in"; done
else
  for i in 1 2 3 4 5 6 7 8; do curl -sS "$1/turn?by" & done | sort
  wait
  curl -sS "$1/turn?by"
fi
