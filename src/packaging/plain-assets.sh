#!/usr/bin/env bash
# The C file of served assets without Node: the descriptions of the API alone. What it makes is as
# src/client/assets.mjs makes it. Arguments: the files.
set -eu
export LC_ALL=C
bytes() { od -An -v -tu1 | tr -s ' \n' ',,' | sed -e 's/^,//' -e 's/,$//'; }
rows='' i=0
echo '/* Made by src/packaging/plain-assets.sh. */'
echo '#include "transports/assets.h"'
for file in "$@"; do
  printf 'static const unsigned char plain_%d[] = {\n%s};\n' "$i" "$(bytes <"$file")"
  printf 'static const unsigned char gzip_%d[] = {\n%s};\n' "$i" "$(gzip -9nc "$file" | bytes)"
  tag=$(sha256sum <"$file")
  rows+="  {.path = \"/$(basename "$file")\", .content_type = \"application/yaml\",
   .cache_control = \"public, max-age=3600, stale-while-revalidate=86400\", .policy = NULL, .tag = \"${tag:0:22}\",
   .plain = plain_$i, .plain_len = sizeof plain_$i, .gzip = gzip_$i, .gzip_len = sizeof gzip_$i},
"
  i=$((i + 1))
done
printf 'const asset assets_table[] = {\n%s};\n' "$rows"
echo 'const size_t assets_count = sizeof assets_table / sizeof assets_table[0];'
# No list of bots: src/client/bots.mjs makes it from an npm package.
echo '#include "transports/access/bots_table.h"'
echo 'const char bots_text[] = "";'
echo 'const bots_needle bots_needles[] = {{0, 0, 0}};'
echo 'const uint16_t bots_buckets[BOTS_BUCKETS + 1] = {0};'
