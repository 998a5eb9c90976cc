# shellcheck shell=bash disable=SC2154
# Commands of other languages that the tests need; what they need of packages is in .local and stays.

# What the guide to the API is written for.
provide_commands() {
    local command
    for command in curl jq; do
        command -v "$command" >/dev/null || apt_install "$command"
    done
}

# A Python that has `standardwebhooks`, the reference against which our signatures are verified, what the
# example in Python needs, and `schemathesis`, which makes requests from the API's OpenAPI document.
provide_python() {
    [[ -z ${POSTHORN_TEST_PYTHON:-} ]] || return 0
    local venv=$repository/.local/venv example=$repository/examples/python/requirements.txt wanted
    export POSTHORN_TEST_PYTHON=$venv/bin/python
    wanted=$(cat "$example" && echo schemathesis==4.32.5)
    [[ $(cat "$venv/wanted" 2>/dev/null) != "$wanted" ]] || return 0
    say "Preparing a Python environment with the packages of examples/python, and schemathesis"
    python3 -c 'import ensurepip' 2>/dev/null || apt_install python3-venv
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$POSTHORN_TEST_PYTHON" -m pip install --quiet --disable-pip-version-check -r /dev/stdin <<<"$wanted" ||
        fail "cannot install the packages of $example and schemathesis; set POSTHORN_TEST_PYTHON to a Python that has them"
    echo "$wanted" >"$venv/wanted"
}

# The example in TypeScript with its packages, compiled.
provide_typescript() {
    [[ -z ${POSTHORN_TEST_TYPESCRIPT:-} ]] || return 0
    local folder=$repository/.local/typescript example=$repository/examples/typescript
    export POSTHORN_TEST_TYPESCRIPT=$folder
    command -v node >/dev/null && command -v npm >/dev/null || apt_install nodejs npm
    mkdir -p "$folder"
    cp -r "$example"/{package.json,package-lock.json,tsconfig.json,src} "$folder"
    if ! cmp -s "$folder/package-lock.json" "$folder/installed"; then
        say "Installing the packages of examples/typescript"
        (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error) ||
            fail "cannot install the packages of $example; set POSTHORN_TEST_TYPESCRIPT to a folder where it is built"
        cp "$folder/package-lock.json" "$folder/installed"
    fi
    (cd "$folder" && npm run --silent build) || fail "examples/typescript does not compile"
}
