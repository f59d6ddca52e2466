#!/usr/bin/env bash
# Writes the krew manifest and the Homebrew formula for the archives of a release.
# usage: manifests.sh TAG OWNER/REPOSITORY FOLDER
set -euo pipefail
tag=$1 repository=$2 folder=$3
version=${tag#v}
base=https://github.com/$repository/releases/download/$tag
sum() { sha256sum "$folder/$1" | cut -d ' ' -f 1; }

platform() { # os arch target archive binary
  cat << YAML
  - selector:
      matchLabels:
        os: $1
        arch: $2
    uri: $base/aksiso-$3.$4
    sha256: $(sum "aksiso-$3.$4")
    files:
    - from: aksiso-$3/$5
      to: .
    - from: aksiso-$3/LICENSE
      to: .
    bin: $5
YAML
}

{
  cat << YAML
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: aksiso
spec:
  version: v$version
  homepage: https://github.com/$repository
  shortDescription: Find out why a network isolated AKS cluster does not pull images
  description: |
    Asks Azure Resource Manager and the Kubernetes API, read-only, which link of the
    chain between the nodes and their private registry is broken, and says which
    documented remediation applies.
  platforms:
YAML
  platform linux amd64 x86_64-unknown-linux-musl tar.gz aksiso
  platform linux arm64 aarch64-unknown-linux-musl tar.gz aksiso
  platform darwin amd64 x86_64-apple-darwin tar.gz aksiso
  platform darwin arm64 aarch64-apple-darwin tar.gz aksiso
  platform windows amd64 x86_64-pc-windows-msvc zip aksiso.exe
} > "$folder/aksiso.yaml"

cat > "$folder/aksiso.rb" << RUBY
class Aksiso < Formula
  desc "Find out why a network isolated AKS cluster does not pull images"
  homepage "https://github.com/$repository"
  version "$version"
  license "MIT"

  on_macos do
    on_arm do
      url "$base/aksiso-aarch64-apple-darwin.tar.gz"
      sha256 "$(sum aksiso-aarch64-apple-darwin.tar.gz)"
    end
    on_intel do
      url "$base/aksiso-x86_64-apple-darwin.tar.gz"
      sha256 "$(sum aksiso-x86_64-apple-darwin.tar.gz)"
    end
  end

  on_linux do
    on_arm do
      url "$base/aksiso-aarch64-unknown-linux-musl.tar.gz"
      sha256 "$(sum aksiso-aarch64-unknown-linux-musl.tar.gz)"
    end
    on_intel do
      url "$base/aksiso-x86_64-unknown-linux-musl.tar.gz"
      sha256 "$(sum aksiso-x86_64-unknown-linux-musl.tar.gz)"
    end
  end

  def install
    bin.install "aksiso"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/aksiso.bash" => "aksiso"
    zsh_completion.install "completions/aksiso.zsh" => "_aksiso"
    fish_completion.install "completions/aksiso.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/aksiso --version")
  end
end
RUBY
