"""Histories, logs and their files."""

import csv
import json
import struct

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.train import CSVLogger, EventFile, History, JSONLLogger, PlotHistory, TensorBoardLogger, Trainer
from minigrad.train.tensorboard import masked_crc32c

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(40, 3)).astype("float32"), rng.integers(0, 2, 40)


def trainer(*callbacks):
    mg.manual_seed(0)
    net = nn.Linear(3, 2)
    return Trainer(net, nn.CrossEntropyLoss(), optim.SGD(net.parameters(), lr=0.1), callbacks=callbacks, progress=False)


def test_history():
    h = History(
        [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "val_loss": 3.0}, {"epoch": 3, "loss": float("nan"), "val_loss": 4.0}]
    )
    assert h.names == ["epoch", "loss", "val_loss"]
    assert len(h) == 3
    assert "val_loss" in h
    assert h[-1]["val_loss"] == 4.0
    assert h["epoch"] == [1, 2, 3]
    assert np.isnan(h["val_loss"][0])
    assert h.best("loss")["epoch"] == 2
    assert h.best("val_loss", "max")["epoch"] == 3
    assert repr(h) == "History(3 epochs; last: epoch 3, loss nan, val_loss 4)"
    assert repr(History()) == "History(no epochs)"
    with pytest.raises(KeyError, match="no column 'accuracy'; there are epoch, loss, val_loss"):
        h["accuracy"]
    with pytest.raises(ValueError, match="mode"):
        h.best("loss", "low")
    with pytest.raises(ValueError, match="no finite value"):
        History([{"loss": float("nan")}]).best("loss")


def test_csv_and_json_lines(tmp_path):
    t = trainer(CSVLogger(tmp_path / "logs" / "a.csv"), JSONLLogger(tmp_path / "logs" / "a.jsonl"))
    h = t.fit((X, Y), (X, Y), epochs=3)
    with open(tmp_path / "logs" / "a.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    assert [float(r["val_loss"]) for r in rows] == h["val_loss"]
    lines = [json.loads(line) for line in (tmp_path / "logs" / "a.jsonl").read_text().splitlines()]
    assert [line["loss"] for line in lines] == h["loss"]
    assert lines[2]["step"] == 6
    h.save_csv(tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text().splitlines()[0] == "epoch,loss,val_loss,lr"


def test_pictures_with_and_without_matplotlib(tmp_path, monkeypatch):
    trainer(PlotHistory(tmp_path / "curve")).fit((X, Y), (X, Y), epochs=3)
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    h = History([{"loss": 1.0, "accuracy": 0.5}, {"loss": 0.5, "accuracy": 0.75}])
    path = h.plot(tmp_path / "own", ["accuracy"])
    assert path.suffix == ".svg"
    assert "accuracy" in path.read_text()


def records(path):
    """A TFRecord file taken apart by the format's description, checksums compared."""
    data, out = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        assert struct.unpack("<I", data[8:12])[0] == masked_crc32c(data[:8])
        body = data[12 : 12 + length]
        assert struct.unpack("<I", data[12 + length : 16 + length])[0] == masked_crc32c(body)
        out.append(fields(body))
        data = data[16 + length :]
    return out


def fields(data):
    """The fields of a protocol-buffer message: number -> list of values."""
    out = {}

    def varint():
        nonlocal data
        value = shift = 0
        while True:
            byte, data = data[0], data[1:]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while data:
        key = varint()
        kind = key & 7
        if kind == 0:
            value = varint()
        else:
            n = {1: 8, 5: 4}.get(kind) or varint()
            value, data = data[:n], data[n:]
        out.setdefault(key >> 3, []).append(value)
    return out


def test_tensorboard(tmp_path):
    t = trainer(TensorBoardLogger(tmp_path, every=2))
    h = t.fit((X, Y), (X, Y), epochs=3)
    (file,) = tmp_path.iterdir()
    first, *events = records(file)
    assert first[3] == [b"brain.Event:2"]
    seen = {}
    for event in events:
        for value in fields(event[5][0])[1]:
            f = fields(value)
            seen.setdefault(f[1][0].decode(), []).append((event[2][0], struct.unpack("<f", f[2][0])[0]))
    assert [s for s, _ in seen["epoch/val_loss"]] == [2, 4, 6]
    assert np.allclose([v for _, v in seen["epoch/val_loss"]], h["val_loss"])
    assert len(seen["step/loss"]) == 3


def test_checksum():
    """The check value of CRC-32C, and its mask, from the catalogue of CRCs: crc32c("123456789") = e3069283."""
    crc = 0xE3069283
    assert masked_crc32c(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_large_steps(tmp_path):
    log = EventFile(tmp_path)
    log.scalars({"ä": float("nan")}, 10**12)
    log.close()
    event = records(next(tmp_path.iterdir()))[1]
    assert event[2] == [10**12]


def test_tensorboard_reads_it(tmp_path):
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    trainer(TensorBoardLogger(tmp_path)).fit((X, Y), epochs=2)
    reader = module.EventAccumulator(str(tmp_path))
    reader.Reload()
    assert [s.step for s in reader.Scalars("epoch/loss")] == [2, 4]
