#!/bin/sh
# Build NEST with MPI, threads and Python from its source, on Debian or Ubuntu:
#
#     sh scripts/build_nest.sh PREFIX [SOURCE]
#
# SOURCE: a folder with NEST's source; without it, PREFIX/source is cloned from GitHub. PYTHON: the
# interpreter (default python3), with cython, numpy, setuptools and wheel. MODELS: NEST's set of
# models, iaf_minimal (default; the backend has models of its own) or full. JOBS: compilers at once
# (default 2). As root it installs the packages that it needs; else it says which.
# Prints what NEURORL_NEST has to be. Tried with nest/nest-simulator 84b06d8 of 2026-08-21.
set -eu

prefix=${1:?where to install}
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)
source=${2:-$prefix/source}
python=$(command -v "${PYTHON:-python3}")
packages="build-essential cmake git libopenmpi-dev openmpi-bin libgsl-dev libltdl-dev libreadline-dev"

if [ "$(id -u)" = 0 ]; then
    # shellcheck disable=SC2086
    apt-get install -y --no-install-recommends $packages
else
    command -v mpicxx >/dev/null || { echo "first: apt-get install $packages" >&2; exit 2; }
fi
"$python" -c "import Cython, numpy, setuptools, wheel" || {
    echo "first: $python -m pip install cython numpy setuptools wheel" >&2
    exit 2
}
cython=$(dirname "$("$python" -c 'import sys; print(sys.executable)')")/cython
[ -d "$source" ] || git clone --depth 1 https://github.com/nest/nest-simulator "$source"

mkdir -p "$prefix/build"
cd "$prefix/build"
cmake -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_BUILD_TYPE=Release \
    -DPython_EXECUTABLE="$python" -DCYTHON_EXECUTABLE="$cython" \
    -Dwith-mpi=ON -Dwith-openmp=ON -Dwith-python=ON -Dwith-hdf5=OFF -Dwith-boost=OFF \
    -Dwith-modelset="${MODELS:-iaf_minimal}" "$source"
make -j "${JOBS:-2}" install

modules=$("$python" -c 'import sys; print("lib/python%d.%d/site-packages" % sys.version_info[:2])')
echo "export NEURORL_NEST=$prefix/$modules"
