#!/usr/bin/env bash
# Packs the binary of a target with its licence, documentation, man pages and completions: dist/aksiso-TARGET.tar.gz or .zip
set -euo pipefail
target=$1 archive=$2
binary=target/$target/release/aksiso
case $target in *windows*) binary=$binary.exe ;; esac
folder=aksiso-$target
rm -rf "$folder"
mkdir -p "$folder/man" "$folder/completions" dist
cp "$binary" README.md CHANGELOG.md SECURITY.md LICENSE "$folder/"
cp -R docs "$folder/"
# The binary writes its own pages; one that cannot run here is packed without them.
if "$binary" --version > /dev/null 2>&1; then
  "$binary" man --output "$folder/man"
  for shell in bash zsh fish powershell elvish; do
    "$binary" completions "$shell" > "$folder/completions/aksiso.$shell"
  done
fi
case $archive in
  zip) 7z a -bd "dist/$folder.zip" "$folder" > /dev/null ;;
  *) tar -czf "dist/$folder.tar.gz" "$folder" ;;
esac
rm -rf "$folder"
