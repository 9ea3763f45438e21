#!/bin/sh
# Makes sure that a Vulkan driver is installed on Linux: the tests run on a graphics adapter, and a
# software one will do. Other systems bring theirs along.
set -eu
[ "$(uname -s)" = Linux ] || exit 0

has_driver() {
    for folder in /usr/share/vulkan/icd.d /usr/local/share/vulkan/icd.d /etc/vulkan/icd.d; do
        for driver in "$folder"/*.json; do
            [ -e "$driver" ] && return 0
        done
    done
    [ -n "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ]
}

# A driver of the software adapter, or of a GPU that is there.
has_gpu() {
    [ -e /dev/nvidia0 ] || [ -e /dev/dxg ] || [ -n "$(ls /dev/dri/renderD* 2>/dev/null)" ]
}

has_software() {
    [ -n "$(ls /usr/share/vulkan/icd.d/lvp_icd*.json /usr/local/share/vulkan/icd.d/lvp_icd*.json 2>/dev/null)" ]
}

has_loader() {
    # Not every user has it on the path, and not every system has it.
    ldconfig=$(PATH="$PATH:/sbin:/usr/sbin" command -v ldconfig) || return 0
    "$ldconfig" -p | grep -q 'libvulkan\.so\.1'
}

if has_loader && { has_software || { has_gpu && has_driver; }; }; then
    exit 0
fi
packages="mesa-vulkan-drivers libvulkan1"
if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then
        as_root=""
    elif sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        echo "error: the tests need a Vulkan adapter and there is none. A software one will do: sudo apt-get install $packages" >&2
        exit 1
    fi
    echo "installing a software Vulkan adapter for the tests: ${as_root:+$as_root }apt-get install $packages" >&2
    $as_root apt-get update -q >&2
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -q -y $packages >&2
    exit 0
fi
echo "error: the tests need a Vulkan adapter and there is none. Mesa's software one will do: the package is named mesa-vulkan-drivers on Fedora, vulkan-swrast on Arch" >&2
exit 1
