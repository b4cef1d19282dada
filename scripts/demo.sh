#!/usr/bin/env bash
# Indexes 10,000 Debian packages and asks four questions. Makes demo.db anew; it stays, for questions of your own.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.build/release:$PATH
data=datasets/debian-packages

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi

# Shows a command as one would type it, an option and its value on one line, then runs it.
run() {
  local bare='^[A-Za-z0-9_./@=,:-]+$' text='' line='$' chunk='' word shown
  for word in "$@" --; do
    if [[ $word == -* ]]; then
      if ((${#line} + ${#chunk} > 110)); then
        text+="$line \\"$'\n'
        line='   '
      fi
      line+=$chunk
      chunk=''
    fi
    if [[ $word =~ $bare ]]; then shown=$word; else shown="\"$word\""; fi
    chunk+=" $shown"
  done
  printf '%s%s%s\n' "$dim" "$text$line" "$plain"
  "$@"
}

question() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }

rm -rf demo.db demo.db-wal demo.db-shm demo.db-journal demo.db-vidx
run vidx build demo.db --index package_vectors --vectors $data/packages.npy --rows $data/packages.jsonl --table packages
run vidx import demo.db --rows $data/dependencies.csv --table dependencies
run vidx sql demo.db 'CREATE INDEX dependencies_package ON dependencies (package_id)'

show=(--columns name,section,installed_size,description)

question '"a small and fast picture viewer": programs below 2 MB'
run vidx search demo.db --index package_vectors --query-file $data/queries.npy --row 2 -k 5 "${show[@]}" \
  --where "installed_size < 2000"

question '"play chess against the computer": games below 1 MB'
run vidx search demo.db --index package_vectors --query-file $data/queries.npy --row 25 -k 5 "${show[@]}" \
  --where "section = 'games' AND installed_size < 1000"

question '"recognise the text in a scanned page": programs in Python'
run vidx search demo.db --index package_vectors --query-file $data/queries.npy --row 9 -k 3 "${show[@]}" \
  --ids-from "SELECT package_id FROM dependencies WHERE depends_on = 'python3'"

question '"edit photos from the terminal": in SQL, without what depends on a graphical toolkit'
run vidx sql demo.db --param "q=@$data/queries.npy[0]" "
SELECT p.name, p.installed_size, round(v.distance, 4) AS distance, substr(p.description, 1, 60) AS description
FROM package_vectors v JOIN packages p ON p.id = v.rowid
WHERE v.vector MATCH :q AND p.section = 'graphics' AND NOT EXISTS (
  SELECT * FROM dependencies d
  WHERE d.package_id = p.id AND (d.depends_on LIKE 'libgtk%' OR d.depends_on LIKE 'libqt%'))
ORDER BY v.distance LIMIT 5"

printf '\ndemo.db is yours to ask: %s.build/release/vidx --help%s\n' "$bold" "$plain"
