#!/bin/sh
. "$(dirname "$0")/../python.sh"
