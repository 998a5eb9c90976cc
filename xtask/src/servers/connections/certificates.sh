# Makes certificates in the folder $0: an authority's, the server's of it, and one that signed itself.
set -euo pipefail
cd "$0" && umask 077
key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
openssl req -x509 "${key[@]}" -days 2 -subj '/CN=An authority' -keyout ca.key -out ca.crt
openssl req -new "${key[@]}" -subj /CN=server -keyout server.key -out server.csr
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out server.crt \
    -extfile <(printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n')
openssl req -x509 "${key[@]}" -days 2 -subj /CN=own -addext subjectAltName=DNS:localhost -keyout own.key -out own.crt
chmod 755 . && chmod 644 ca.crt own.crt
