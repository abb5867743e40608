#!/usr/bin/env bash
# Builds the contestant `uwebsockets`, with the flags of its own build and without TLS.
#
#     bench/peers/uwebsockets/build.sh             # fetches the sources, at the commit below
#     bench/peers/uwebsockets/build.sh DIRECTORY   # takes them from a checkout with uSockets in it
#
# Needs a C and a C++20 compiler, and zlib.
set -euo pipefail
cd "$(dirname "$0")"

COMMIT=66dcff3dd48f0c19dd1703426365d062039321d0

sources=${1:-sources}
if [ $# -eq 0 ]; then
    [ -d "$sources" ] || git clone --quiet https://github.com/uNetworking/uWebSockets "$sources"
    git -C "$sources" checkout --quiet "$COMMIT"
    git -C "$sources" submodule --quiet update --init uSockets
fi

objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
flags=(-O3 -march=native -flto=auto -DLIBUS_NO_SSL -I "$sources/uSockets/src")
for file in "$sources"/uSockets/src/*.c "$sources"/uSockets/src/{eventing,crypto}/*.c; do
    "${CC:-cc}" "${flags[@]}" -c "$file" -o "$objects/$(basename "$file").o"
done
"${CXX:-c++}" "${flags[@]}" -std=c++20 -I "$sources/src" server.cpp "$objects"/*.o -lz -o server
