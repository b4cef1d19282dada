public import CVidxExtension
import VidxSQLite

/// What a `vidx_filter` is.
final class OpenFilter: Sendable {
  private let index: OpenIndex
  private let filter: ReaderFilter

  init(_ index: OpenIndex, _ filter: ReaderFilter) {
    self.index = index
    self.filter = filter
  }

  var terms: FilterTerms { filter.terms }

  /// The rows that pass in the state that searches see.
  func resolve(_ limits: @autoclosure () -> SearchLimits) throws -> ReaderFilter.Resolved {
    try index.resolve(filter, limits())
  }

  /// The same for one search, which may be made at once.
  func begin(
    _ request: @autoclosure () throws -> StoreRequest, _ limits: @autoclosure () -> SearchLimits
  ) throws -> IndexReader.Begun {
    try index.begin(request(), under: filter, limits())
  }

  /// The object behind a pointer that `vidx_filter_where` or `vidx_filter_ids` has returned.
  static func of(_ pointer: OpaquePointer, for index: OpenIndex) throws(Failure) -> OpenFilter {
    let filter = unsafe Unmanaged<OpenFilter>.fromOpaque(UnsafeRawPointer(pointer)).takeUnretainedValue()
    guard filter.index === index else {
      throw Failure(VIDX_BAD_ARGUMENT, "the filter was made for another index; make one for this")
    }
    return filter
  }
}

@c(vidx_filter_where)
public func filterWhere(
  _ index: OpaquePointer?, _ condition: UnsafePointer<CChar>?, _ values: UnsafePointer<vidx_value>?, _ count: Int,
  _ filter: UnsafeMutablePointer<OpaquePointer?>?, _ error: ErrorText?
) -> Int32 {
  unsafe outcome(error) {
    let index = try unsafe OpenIndex.of(index)
    let values = try unsafe required(values, "values", count: count).map { try unsafe FilterValue($0) }
    let text = FilterText(.condition, try unsafe required(condition, "condition"), values)
    try index.reader.check(text)
    try unsafe give(OpenFilter(index, ReaderFilter(text)), to: filter)
  }
}

@c(vidx_filter_ids)
public func filterIDs(
  _ index: OpaquePointer?, _ ids: UnsafePointer<Int64>?, _ count: Int,
  _ filter: UnsafeMutablePointer<OpaquePointer?>?, _ error: ErrorText?
) -> Int32 {
  unsafe outcome(error) {
    let index = try unsafe OpenIndex.of(index)
    let ids = try unsafe Array(required(ids, "ids", count: count))
    try unsafe give(OpenFilter(index, ReaderFilter(rowIDs: ids)), to: filter)
  }
}

@c(vidx_filter_all)
public func filterAll(
  _ index: OpaquePointer?, _ filters: UnsafePointer<OpaquePointer?>?, _ count: Int,
  _ filter: UnsafeMutablePointer<OpaquePointer?>?, _ error: ErrorText?
) -> Int32 {
  unsafe outcome(error) {
    let index = try unsafe OpenIndex.of(index)
    var terms = FilterTerms()
    let filters = try unsafe required(filters, "filters", count: count)
    for i in 0..<count {
      guard let part = unsafe filters[i] else { throw Failure(VIDX_BAD_ARGUMENT, "a filter is NULL; leave it out") }
      terms.add(try unsafe OpenFilter.of(part, for: index).terms)
    }
    try unsafe give(OpenFilter(index, ReaderFilter(terms)), to: filter)
  }
}

@c(vidx_filter_free)
public func filterFree(_ filter: OpaquePointer?) {
  guard let filter = unsafe filter else { return }
  unsafe Unmanaged<OpenFilter>.fromOpaque(UnsafeRawPointer(filter)).release()
}

func give(_ filter: OpenFilter, to place: UnsafeMutablePointer<OpaquePointer?>?) throws {
  guard let place = unsafe place else { throw Failure(VIDX_BAD_ARGUMENT, "filter is NULL; give the place for one") }
  unsafe place.pointee = OpaquePointer(Unmanaged.passRetained(filter).toOpaque())
}

extension FilterValue {
  init(_ value: vidx_value) throws(Failure) {
    switch Int(unsafe value.type) {
    case VIDX_NULL: self = .null
    case VIDX_INTEGER: self = unsafe .integer(value.integer)
    case VIDX_REAL: self = unsafe .real(value.real)
    case VIDX_TEXT: self = unsafe .text(String(decoding: try Self.bytes(of: value), as: UTF8.self))
    case VIDX_BLOB: self = unsafe .blob(Array(try Self.bytes(of: value)))
    default:
      throw Failure(VIDX_BAD_ARGUMENT, "a value is of type \(unsafe value.type); give one of VIDX_NULL to VIDX_BLOB")
    }
  }

  private static func bytes(of value: vidx_value) throws(Failure) -> UnsafeRawBufferPointer {
    guard unsafe value.bytes != nil || value.count == 0 else {
      throw Failure(VIDX_BAD_ARGUMENT, "the bytes of a value are NULL; give \(unsafe value.count)")
    }
    return unsafe UnsafeRawBufferPointer(start: value.bytes, count: value.count)
  }
}
