#!/usr/bin/env bash
# Makes what docker/compose.yaml takes as secrets, where it is missing: secrets.sh [FOLDER] [HOST]
#   admin-token         guards the operators' endpoints
#   grafana-password    of Grafana's user "admin"
#   tls.pem             a certificate for HOST (default localhost) and its key: signed by itself, to be replaced
# The containers' users read them, so the folder is for you alone, and its files are for all.
set -euo pipefail
folder=${1:-$(dirname "$0")/secrets} host=${2:-localhost}
umask 022
mkdir -p -m 0700 "$folder"
for name in admin-token grafana-password; do
  [ -s "$folder/$name" ] || openssl rand -hex 24 | tr -d '\n' > "$folder/$name"
done
if [ ! -s "$folder/tls.pem" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
    -subj "/CN=$host" -addext "subjectAltName=DNS:$host,IP:127.0.0.1" \
    -keyout - -out - 2>/dev/null > "$folder/tls.pem"
fi
chmod 0644 "$folder"/*
echo "$folder"
