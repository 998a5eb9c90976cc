# shellcheck shell=bash disable=SC2154
# The images that the compose file and the Dockerfile name: those that are there or can be pulled, and
# where no registry answers, stand-ins made of Debian's packages.

standin_base=posthorn-standin-base:trixie
rust_image=$(sed -n 's/^ARG RUST_IMAGE=//p' "$repository/deploy/Dockerfile")
runtime_image=$(sed -n 's/^ARG RUNTIME_IMAGE=//p' "$repository/deploy/Dockerfile")

provide_images() {
    provide_image "$(image_of rabbitmq)" rabbitmq
    provide_image "$(image_of postgres)" postgres
    provide_image "$runtime_image" runtime
    has_image "$rust_image" || pull "$rust_image" || provide_prebuilt
}

# Prints the image of a service of the compose file.
image_of() { COMPOSE_PROFILES=observability compose config | sed -n "/^  $1:\$/,/^  [a-z]/s/^    image: //p" | head -n 1; }

has_image() { [[ -z $(docker image inspect --format '{{index .Config.Labels "posthorn.standin"}}' "$1" 2>&1) ]]; }
pull() { registry_answers && docker pull --quiet "$1"; }

# One try is enough to know.
registry_answers() {
    [[ -n ${registry:-} ]] || { timeout 30 docker pull --quiet "$runtime_image" >/dev/null 2>&1 && registry=yes || registry=no; }
    [[ $registry == yes ]]
}

provide_image() {
    if has_image "$1" || pull "$1"; then
        say "Image $1: the real one"
    else
        standin "$1" "$2" "$here/standins/$2"
    fi
}

# Builds the stand-in $2 from the folder $3 under the name $1. Docker remembers what has not changed.
standin() {
    provide_base
    docker build --quiet --network host --label posthorn.standin=yes --build-arg BASE="$standin_base" --tag "$1" "$3" \
        >/dev/null 2>"$state/build.log" || { cat "$state/build.log" >&2 && fail "cannot build a stand-in for $1"; }
    say "Image $1: a stand-in of Debian's packages"
}

provide_base() {
    docker image inspect "$standin_base" >/dev/null 2>&1 && return
    command -v debootstrap >/dev/null || apt_install debootstrap
    ((EUID == 0)) || fail "only root can make a base image with debootstrap"
    say "Making a base image of Debian 13 with debootstrap"
    rm -rf "$state/base"
    debootstrap --variant=minbase trixie "$state/base" "$(debian_mirror)" >"$state/debootstrap.log" 2>&1 ||
        { tail -n 5 "$state/debootstrap.log" >&2 && fail "debootstrap failed; its last words are above"; }
    tar --directory "$state/base" --create . | docker import - "$standin_base" >/dev/null
    rm -rf "$state/base"
}

# Where the build stage cannot fetch crates: the binary is built here, and a stand-in for the Rust image
# hands it out, so that the Dockerfile is built as it is. POSTHORN_BINARY names one that is built already.
provide_prebuilt() {
    local context=$state/rust binary=${POSTHORN_BINARY:-}
    if [[ -z $binary ]]; then
        say "Building posthorn outside (cargo build --release)"
        (cd "$repository" && cargo build --quiet --release --locked --bin posthorn)
        binary=$repository/target/release/posthorn
    fi
    rm -rf "$context"
    cp -r "$here/standins/rust" "$context"
    cp "$binary" "$context/posthorn"
    strip --strip-debug "$context/posthorn" 2>/dev/null || true
    standin "$rust_image" rust "$context"
}
