#!/bin/sh
# Runs the whole suite in three parts, side by side on any machine. One starts processes and waits
# for them, in six workers. The two others compute, and take the time that the first leaves: what
# covers the pure packages, with their coverage, and the rest. Those print when they have ended.
set -u
python=.venv/bin/python
covering="tests/conformance tests/unit/test_*.py"
for name in client edge geodata ladder manifests play policy stats steering trust; do
    covering="$covering tests/unit/$name"
done
rest="tests/architecture tests/benchmark tests/corpus tests/load tests/property"
for name in config observe serving source store tls; do
    rest="$rest tests/unit/$name"
done
computing=""
for name in architecture benchmark conformance corpus load property unit; do
    computing="$computing --ignore=tests/$name"
done

logs=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$logs"' EXIT
trap 'exit 130' INT TERM

# shellcheck disable=SC2086
nice -n 10 $python -m pytest -q $covering --cov >"$logs/covering" 2>&1 &
covers=$!
# shellcheck disable=SC2086
nice -n 10 $python -m pytest -q $rest >"$logs/rest" 2>&1 &
rests=$!
status=0
# shellcheck disable=SC2086
$python -m pytest -n 6 --dist loadfile --no-loadscope-reorder $computing || status=1
wait "$covers" || status=1
cat "$logs/covering"
wait "$rests" || status=1
cat "$logs/rest"
exit $status
