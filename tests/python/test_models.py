"""Trained ONNX models against onnxruntime, on random and on real input."""

import sys
import wave
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from peer import Tally, np, random_feed, run_pelton, session, shared, difference  # noqa: E402

MODELS = {
    "squeezenet": "models/ncnn-squeezenet-v1.1/squeezenet_v1.1_from-ncnn-fp16.onnx",
    "ultraface raw": "models/ultraface/onnx/version-RFB-320.onnx",
    "ultraface simplified": "models/ultraface/onnx/version-RFB-320_simplified.onnx",
    "ultraface slim": "models/ultraface/onnx/version-slim-320_simplified.onnx",
    "espcn": "models/pytorch-espcn-subpixel/super_resolution.onnx",
    "mnist": "models/onnx-mnist-tengine/mnist.onnx",
}


def silero(tally):
    """Chunks of a recording, the state handed on, against onnxruntime's probabilities."""
    model = shared("models/silero-vad/silero_vad_16k_op15.onnx")
    with wave.open(str(shared("models/silero-vad/test.wav"))) as f:
        samples = np.frombuffer(f.readframes(16000 * 2), np.int16).astype(np.float32) / 32768
    s = session(model)
    state, context, worst = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32), 0.0
    for i in range(6):
        chunk = samples[8000 + 512 * i : 8000 + 512 * (i + 1)]
        feed = {"input": np.concatenate([context, chunk])[None], "state": state, "sr": np.array(16000, np.int64)}
        want = s.run(None, feed)
        got = run_pelton(model, feed)
        for o, w in zip(s.get_outputs(), want):
            worst = max(worst, difference(got[o.name], w))
        context, state = chunk[-64:], want[1]
    tally.check("silero", worst <= 1e-4, f"largest difference {worst:.2e}")


def main():
    tally = Tally()
    for name, path in MODELS.items():
        model = shared(path)
        s = session(model)
        for seed in (0, 1):
            tally.compare(f"{name}, seed {seed}", model, random_feed(s, seed=seed), 1e-4)
    silero(tally)
    tally.end()


main()
