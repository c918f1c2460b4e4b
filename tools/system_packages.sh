#!/usr/bin/env bash
# Debian packages that pip and npm cannot give: EGL for rendering, Chromium for the browser tests,
# Node.js for the dashboard's build. Installs what is missing where it may, and says so where not.
set -euo pipefail

missing=()
ldconfig -p | grep -q 'libEGL\.so\.1' || missing+=(libegl1)
ls /usr/lib/*/dri/swrast_dri.so /usr/lib/*/dri/kms_swrast_dri.so /usr/lib/*/libgallium*.so \
  >/dev/null 2>&1 || missing+=(libgl1-mesa-dri)
command -v chromium >/dev/null || missing+=(chromium)
command -v chromedriver >/dev/null || missing+=(chromium-driver)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)

[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "Installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "These packages are wanted and missing: ${missing[*]}" >&2
  echo "Install them as root, then run make again:  sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
