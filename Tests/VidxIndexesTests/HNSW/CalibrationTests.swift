import Testing
import VidxSegments
import VidxVectors

@testable import VidxIndexes

@Suite struct CalibrationTests {
  static var measured: Calibration {
    var calibration = Calibration()
    for (ef, slack, recall) in [(8, 0.01, 0.8), (16, 0.05, 0.9), (32, 0.1, 0.96), (64, Float.infinity, 0.99)] {
      calibration.append(
        Calibration.Step(ef: UInt32(ef), slack: Float(slack), recall: Float(recall), distances: Float(ef * 10)))
    }
    return calibration
  }

  @Test func goesBetweenSteps() {
    let calibration = Self.measured
    #expect(calibration.ef(recall: 0.5) == 8)
    #expect(calibration.ef(recall: 0.9) == 16)
    #expect((20...28).contains(calibration.ef(recall: 0.93)))
    #expect((126...130).contains(calibration.ef(recall: 0.995)), "the share that is missed halves when ef doubles")
    #expect(calibration.ef(recall: 0.999_999) <= 64 * 16)
    #expect(calibration.slack(ef: 1) == 0.01)
    #expect(abs(calibration.slack(ef: 24) - 0.075) < 1e-6)
    #expect(calibration.slack(ef: 40) == 0.1)
    #expect(calibration.slack(ef: 64) == .infinity)
    #expect(calibration.slack(ef: 1_000) == .infinity)
  }

  @Test func guessesWhereNothingWasMeasured() {
    let none = Calibration()
    #expect(none.ef(recall: 0.95) == 40)
    #expect(none.slack(ef: 40) == .infinity)
    #expect(none.margin == .infinity)
  }

  @Test func recallNeverFalls() {
    var calibration = Self.measured
    calibration.append(Calibration.Step(ef: 100, slack: .infinity, recall: 0.98, distances: 900))
    #expect(calibration.steps.last?.recall == 0.99)
  }
}
