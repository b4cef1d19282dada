// swift-tools-version: 6.2
import PackageDescription

// One target per layer; arrows only go down (ARCHITECTURE.md, "Targets").
let settings: [SwiftSetting] = [
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

// Optimised, tests take twice as long to compile. What does arithmetic for them is in TestSupport; those of VidxIndexes
// count allocations, which unoptimised code adds to.
let testSettings = settings + [.unsafeFlags(["-Xfrontend", "-Onone"])]

// Executables and tests link SQLite; the loadable extension must not: it calls the host's copy.
let sqlite: [LinkerSetting] = [.linkedLibrary("sqlite3")]

// The extension carries its own Swift runtime, so that it loads where no Swift is installed, and shows its entry points
// only.
let extensionLinking: [LinkerSetting] = [
  .linkedLibrary("m"),
  .unsafeFlags(["-static-stdlib"]),
  .unsafeFlags(
    ["-Xlinker", "--version-script=\(Context.packageDirectory)/Sources/VidxExtension/exports.map"],
    .when(platforms: [.linux])),
]

let package = Package(
  name: "vidx",
  platforms: [.macOS(.v26)],
  products: [
    .library(name: "Vidx", targets: ["Vidx"]),
    .library(name: "vidx-extension", type: .dynamic, targets: ["VidxExtension"]),
    .executable(name: "vidx", targets: ["VidxCLI"]),
  ],
  targets: [
    .target(name: "CVidxKernels"),
    .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),
    .target(name: "CVidxSQLite", dependencies: ["CSQLite"]),

    .target(name: "VidxVectors", dependencies: ["CVidxKernels"], swiftSettings: settings),
    .target(name: "VidxSegments", dependencies: ["CVidxKernels"], swiftSettings: settings),
    .target(
      name: "VidxIndexes", dependencies: ["CVidxKernels", "VidxVectors", "VidxSegments"], swiftSettings: settings),
    .target(
      name: "VidxSQLite", dependencies: ["CSQLite", "CVidxSQLite", "VidxIndexes", "VidxSegments", "VidxVectors"],
      swiftSettings: settings),
    .target(
      name: "Vidx", dependencies: ["VidxSQLite", "VidxIndexes", "VidxSegments", "VidxVectors"],
      swiftSettings: settings),
    .target(name: "VidxFiles", swiftSettings: settings),
    .executableTarget(
      name: "VidxCLI",
      dependencies: ["Vidx", "VidxFiles", "VidxSQLite", "VidxIndexes", "VidxSegments", "VidxVectors"],
      swiftSettings: settings, linkerSettings: sqlite),

    .target(name: "CVidxExtension"),
    .target(
      name: "VidxExtension",
      dependencies: [
        "CSQLite", "CVidxSQLite", "CVidxExtension", "VidxSQLite", "VidxIndexes", "VidxSegments", "VidxVectors",
      ],
      exclude: ["exports.map"], swiftSettings: settings, linkerSettings: extensionLinking),

    .executableTarget(
      name: "VidxBenchmarks", dependencies: ["Vidx", "VidxIndexes", "VidxSegments", "VidxVectors", "VidxFiles"],
      path: "Benchmarks/VidxBenchmarks", swiftSettings: settings, linkerSettings: sqlite),

    .target(
      name: "TestSupport", dependencies: ["VidxVectors"], path: "Tests/TestSupport", swiftSettings: settings),
    .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
    .testTarget(
      name: "VidxVectorsTests", dependencies: ["TestSupport", "VidxVectors", "CVidxKernels"],
      swiftSettings: testSettings),
    .testTarget(
      name: "VidxSegmentsTests", dependencies: ["TestSupport", "VidxSegments", "CVidxKernels"],
      swiftSettings: testSettings),
    .testTarget(
      name: "VidxIndexesTests",
      dependencies: ["TestSupport", "CAllocationCounter", "VidxFiles", "VidxIndexes", "VidxSegments", "VidxVectors"],
      exclude: ["CounterThresholds.json"], swiftSettings: settings),
    .testTarget(
      name: "VidxSQLiteTests",
      dependencies: [
        "TestSupport", "CSQLite", "VidxFiles", "VidxSQLite", "VidxIndexes", "VidxSegments", "VidxVectors",
      ],
      exclude: ["Fuzz/Corpus"], swiftSettings: testSettings, linkerSettings: sqlite),
    .testTarget(name: "VidxExtensionTests", swiftSettings: testSettings),
    .testTarget(
      name: "VidxFilesTests", dependencies: ["TestSupport", "VidxFiles"], exclude: ["Corpus"],
      swiftSettings: testSettings),
    .testTarget(
      name: "VidxTests", dependencies: ["Vidx", "VidxIndexes", "VidxSQLite", "VidxSegments"],
      swiftSettings: testSettings,
      linkerSettings: sqlite),
    .testTarget(
      name: "VidxCLITests", dependencies: ["Vidx", "VidxCLI", "VidxFiles"], swiftSettings: testSettings,
      linkerSettings: sqlite),
    .testTarget(name: "DocumentationTests", swiftSettings: testSettings),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c17
)

// Of a build under a sanitizer: names of the test targets that are wanted.
if let wanted = Context.environment["VIDX_TEST_TARGETS"]?.split(separator: " ").map(String.init) {
  package.targets.removeAll { $0.type == .test && !wanted.contains($0.name) }
}
