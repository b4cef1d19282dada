// A worker for the harness: reads one command a line, answers each with one line of JSON.
//
//   load BASE.npy QUERIES.npy        read vectors and queries
//   build KIND key=value ...         build a segment; keys: metric, m, efc, lists, threads
//   search key=value ...             answer every query once; keys: k, ef, probes, out (file for ids and distances),
//                                    batch (1: all in one call), threads (of that)
//   filtered key=value ...           answer every query under filters that are ready; keys: masks (file of bytes,
//                                    rows x filters), of (file of bytes: the filter of each query), k, ef, recall,
//                                    probes, plan, out
//   bandwidth                        stream the vectors once: GB/s this machine reads
//   writes                           insert 11,000 rows into the rest of the vectors and merge; key: directory
//   quit
//
// With arguments `kernels ...` it measures the kernels instead (KernelBenchmark).

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

if CommandLine.arguments.dropFirst().first == "kernels" {
  try KernelBenchmark(Array(CommandLine.arguments.dropFirst(2))).run()
  exit(0)
}
let worker = Worker()
while let line = readLine() {
  let words = line.split(separator: " ").map(String.init)
  guard let command = words.first else { continue }
  if command == "quit" { break }
  do {
    print(try worker.run(command, Array(words.dropFirst())))
  } catch {
    print("{\"error\": \"\(error)\"}")
  }
  // Whoever drives the worker waits for the answer on a pipe.
  fflush(nil)
}
