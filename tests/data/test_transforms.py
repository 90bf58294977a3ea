"""Transforms of images and labels."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import data
from minigrad.backend.random import drawing_from
from minigrad.data import transforms as T
from minigrad.errors import DTypeError, IndexRangeError, ShapeError
from minigrad.nn import functional as F
from minigrad.testing import double

double.register()
IMAGES = np.random.default_rng(0).random((6, 3, 9, 7)).astype(np.float32)
KINDS = {
    "normalize": lambda: T.Normalize([0.1, 0.2, 0.3], [0.5, 0.6, 0.7]),
    "resize": lambda: T.Resize((5, 11)),
    "resize nearest": lambda: T.Resize((5, 11), "nearest"),
    "centre": lambda: T.CenterCrop((4, 5)),
    "crop": lambda: T.RandomCrop((4, 5)),
    "crop padded": lambda: T.RandomCrop((9, 7), padding=2, fill=1),
    "crop reflected": lambda: T.RandomCrop((9, 7), padding=2, padding_mode="reflect"),
    "flip": lambda: T.RandomHorizontalFlip(),
    "flip vertically": lambda: T.RandomVerticalFlip(),
    "rotate": lambda: T.RandomRotation(30),
    "erase": lambda: T.RandomErasing(p=0.7),
    "erase random": lambda: T.RandomErasing(p=0.7, value="random"),
    "cutout": lambda: T.Cutout(3, p=0.7),
    "noise": lambda: T.GaussianNoise(0.1),
}


def seeded(f, *args, seed=0):
    with drawing_from(mg.Generator(seed)):
        return f(*args)


def there(a):
    return mg.tensor(a).to(device="double")


@pytest.mark.parametrize("name", KINDS)
def test_one_image_or_a_batch_array_or_tensor(name):
    t = KINDS[name]()
    before = IMAGES.copy()
    batch = seeded(t, IMAGES)
    assert batch.dtype == np.float32
    assert (before == IMAGES).all()
    assert (seeded(t, IMAGES) == batch).all()
    tensor = seeded(t, mg.tensor(IMAGES))
    assert isinstance(tensor, mg.Tensor)
    assert (tensor.numpy() == batch).all()
    assert (seeded(t, IMAGES[:1])[0] == seeded(t, IMAGES[0])).all()
    assert t.batched
    assert seeded(t, np.asfortranarray(IMAGES)).tolist() == batch.tolist()
    if name not in ("noise", "normalize", "erase random"):
        whole = seeded(t, (IMAGES * 255).astype(np.uint8))
        assert whole.dtype == np.uint8
        assert np.abs(whole / 255 - np.where(batch == 1, 1 / 255 if "padded" in name else 1, batch)).max() < 2 / 255
    if name != "noise":
        with pytest.raises(ShapeError, match=r"expected an image \(C, H, W\)"):
            t(np.zeros((3, 4)))
        with pytest.raises(ShapeError, match="got list"):
            t([[1.0]])


@pytest.mark.parametrize("name", KINDS)
def test_on_the_double_of_a_gpu(name):
    t = KINDS[name]()
    want = seeded(t, IMAGES)
    got = seeded(t, there(IMAGES))
    assert got.device == "double"
    assert np.array_equal(got.to(device="cpu").numpy(), want)


def test_to_tensor():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    t = T.ToTensor()(image)
    assert t.dtype == np.float32
    assert np.allclose(t.numpy() * 255, image.transpose(2, 0, 1))
    assert T.ToTensor()(image[:, :, 0]).shape == (1, 2, 4)
    assert T.ToTensor()(image[None]).shape == (1, 3, 2, 4)
    assert T.ToTensor()(image.astype(np.float64)).numpy().max() == 23
    with pytest.raises(ShapeError, match="ToTensor"):
        T.ToTensor()(np.zeros(3))


def test_normalize():
    assert np.allclose(T.Normalize(0.5, 2.0)(IMAGES), (IMAGES - 0.5) / 2)
    with pytest.raises(DTypeError, match="ToTensor"):
        T.Normalize(0.5, 2.0)(np.zeros((1, 2, 2), np.uint8))
    with pytest.raises(ShapeError, match="2 means"):
        T.Normalize([1, 2], [1, 2])(IMAGES)
    for bad in ((0.0, 0.0), (np.nan, 1.0), (0.0, [-1.0])):
        with pytest.raises(ValueError, match="std"):
            T.Normalize(*bad)


def test_crops_are_windows():
    big = np.arange(6 * 30 * 40).reshape(6, 1, 30, 40)
    crops = seeded(T.RandomCrop((5, 6)), big)
    corners = crops[:, 0, 0, 0] - np.arange(6) * 1200
    for crop, image, corner in zip(crops, big, corners, strict=True):
        top, left = divmod(corner, 40)
        assert (crop == image[:, top : top + 5, left : left + 6]).all()
    assert len(set(corners.tolist())) > 3
    assert (T.CenterCrop(10)(big) == big[:, :, 10:20, 15:25]).all()
    padded = np.pad(big, ((0, 0), (0, 0), (2, 2), (2, 2)), constant_values=-1)
    drawn = seeded(T.RandomCrop((34, 44), padding=2, fill=-1), big)
    assert (drawn == padded).all()
    for bad in (T.CenterCrop(31), T.RandomCrop(31)):
        with pytest.raises(ShapeError, match="31"):
            bad(big)
    starts = set()
    for seed in range(60):
        starts.add(int(seeded(T.RandomCrop(1), np.arange(4).reshape(1, 2, 2), seed=seed).item()))
    assert starts == {0, 1, 2, 3}


def test_flips():
    assert (T.RandomHorizontalFlip(1)(IMAGES) == IMAGES[..., ::-1]).all()
    assert (T.RandomVerticalFlip(1)(IMAGES) == IMAGES[..., ::-1, :]).all()
    assert (T.RandomVerticalFlip(0)(IMAGES) == IMAGES).all()
    many = seeded(T.RandomHorizontalFlip(0.3), np.tile(np.array([[[[0, 1]]]]), (4000, 1, 1, 1)))
    assert abs(many[:, 0, 0, 0].mean() - 0.3) < 0.03


def test_rotation():
    square = IMAGES[..., :7, :]
    for k in range(-3, 4):
        assert np.allclose(T.RandomRotation((90 * k, 90 * k))(square), np.rot90(square, k, (2, 3)), atol=1e-5)
    assert np.allclose(T.RandomRotation(0)(IMAGES), IMAGES, atol=1e-6)
    turned = T.RandomRotation((45, 45), fill=5.0)(np.ones((1, 21, 21), np.float32))
    assert turned[0, 0, 0] == pytest.approx(5)
    assert turned[0, 10, 10] == pytest.approx(1)
    assert len({a.tobytes() for a in seeded(T.RandomRotation(90), np.stack([IMAGES[0]] * 4))}) == 4
    for bad in (-1, (2, 1), np.nan):
        with pytest.raises(ValueError, match="degrees"):
            T.RandomRotation(bad)


def test_erasing_and_cutout():
    ones = np.ones((300, 2, 32, 24), np.float32)
    erased = seeded(T.RandomErasing(1.0, value=0.5), ones)
    for image in erased[:50]:
        rows, columns = np.nonzero(image[0] != 1)
        block = image[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert (block == 0.5).all()
        assert (image == 0.5).sum() == block.size
    share = (erased[:, 0] != 1).mean((1, 2))
    assert share.min() > 0.01
    assert share.max() < 0.37
    assert share.max() - share.min() > 0.2
    assert seeded(T.RandomErasing(0.0, value="random"), ones).min() == 1
    assert abs((seeded(T.RandomErasing(0.5), ones) != 1).any((1, 2, 3)).mean() - 0.5) < 0.1
    cut = seeded(T.Cutout(8), ones)
    areas = (cut[:, 0] == 0).sum((1, 2))
    assert areas.max() == 64
    assert areas.min() >= 16
    assert (areas < 64).any()
    for bad in (lambda: T.RandomErasing(scale=(0, 1)), lambda: T.RandomErasing(value="x"), lambda: T.Cutout(0), lambda: T.Cutout(2, p=2)):
        with pytest.raises(ValueError):
            bad()


def test_noise():
    noise = seeded(T.GaussianNoise(0.5, 1.0), np.zeros(20000, np.float32))
    assert noise.dtype == np.float32
    assert abs(noise.mean() - 1) < 0.02
    assert abs(noise.std() - 0.5) < 0.02
    with pytest.raises(DTypeError, match="floats"):
        T.GaussianNoise()(np.arange(3))


def test_one_hot():
    assert T.OneHot(3)(1).tolist() == [0, 1, 0]
    assert T.OneHot(3)(mg.tensor([[2]])).tolist() == [[[0, 0, 1]]]
    for bad in (3, -1):
        with pytest.raises(IndexRangeError, match="3 classes"):
            T.OneHot(3)(bad)
    with pytest.raises(DTypeError, match="integers"):
        T.OneHot(3)(1.0)


def test_mixup_and_cutmix():
    labels = np.array([0, 1, 2, 0, 1, 2])
    flat = np.broadcast_to(np.arange(6.0, dtype=np.float32)[:, None, None, None], (6, 1, 8, 8))
    for kind in (T.Mixup, T.CutMix):
        x, y = seeded(kind(6, alpha=0.8), flat, np.arange(6))
        assert (x.dtype, y.dtype) == (np.float32, np.float32)
        # the mean pixel is the mean of the classes by their weights: images and labels are mixed alike
        assert np.allclose(x.numpy().mean((1, 2, 3)), y.numpy() @ np.arange(6), atol=1e-5)
        assert np.allclose(y.numpy().sum(1), 1)
        assert (seeded(kind(6, p=0.0), flat, np.arange(6))[0].numpy() == flat).all()
        x, y = seeded(kind(3), mg.tensor(IMAGES), mg.tensor(labels))
        loss = F.cross_entropy(mg.tensor(np.zeros((6, 3), np.float32), requires_grad=True), y)
        assert loss.item() == pytest.approx(np.log(3))
        again = seeded(kind(3), x, y)
        assert np.allclose(again[1].numpy().sum(1), 1)
        loader = data.DataLoader(data.TensorDataset(IMAGES, labels), 3, collate_fn=kind(3).collate, num_workers=2)
        assert [b[1].shape for b in loader] == [(3, 3), (3, 3)]
        with pytest.raises(ShapeError, match="one label in a row"):
            kind(3)(IMAGES, labels[:2])
        with pytest.raises(DTypeError, match="floats"):
            kind(3)(labels, labels)
        with pytest.raises(ValueError, match="alpha"):
            kind(3, alpha=0)
    values = set(seeded(T.CutMix(6), flat, np.arange(6))[0].numpy().ravel().tolist())
    assert values <= set(range(6))
    with pytest.raises(ShapeError, match="CutMix"):
        T.CutMix(3)(IMAGES[:, 0, 0], labels)
    shares = [seeded(T.Mixup(2, alpha=0.5), np.zeros((2, 1)), np.array([0, 1]), seed=s)[1].numpy()[0, 0] for s in range(400)]
    mixed = [s for s in shares if s != 1]
    assert abs(np.var([*mixed, *(1 - np.array(mixed))]) - 1 / 8) < 0.02  # of Beta(1/2, 1/2)


def test_mixing_on_the_double_of_a_gpu():
    labels = np.arange(6) % 3
    for kind in (T.Mixup, T.CutMix):
        want = seeded(kind(3), IMAGES, labels)
        got = seeded(kind(3), there(IMAGES), there(labels))
        for a, b in zip(got, want, strict=True):
            assert np.allclose(a.to(device="cpu").numpy(), b.numpy(), atol=1e-6)


def test_compose():
    both = T.Compose([T.RandomHorizontalFlip(1), T.Normalize(0.0, 2.0)])
    assert both.batched
    assert not T.Compose([both, T.ToTensor()]).batched
    assert np.allclose(both(IMAGES), IMAGES[..., ::-1] / 2)
    with pytest.raises(DTypeError, match="callables"):
        T.Compose([1])
    with pytest.raises(DTypeError, match="callable"):
        T.Lambda(1)
    with pytest.raises(NotImplementedError, match="apply"):
        T.Transform()(IMAGES)
    for bad in (lambda: T.Resize(0), lambda: T.Resize(3, "cubic"), lambda: T.RandomCrop(3, padding=-1), lambda: T.RandomHorizontalFlip(2)):
        with pytest.raises(ValueError):
            bad()


def test_augmented_batches_do_not_depend_on_the_workers():
    augment = T.Compose([T.RandomCrop((9, 7), padding=2), T.RandomHorizontalFlip(), T.Cutout(3)])
    d = data.TransformDataset(data.TensorDataset(IMAGES, np.arange(6)), augment)
    runs = []
    for workers in (0, 1, 2):
        loader = data.DataLoader(d, 2, shuffle=True, num_workers=workers, generator=mg.Generator(4))
        runs.append([x.numpy().tobytes() for _ in range(2) for x, _ in loader])
    assert runs[0] == runs[1] == runs[2]
    assert len(set(runs[0])) == 6


@pytest.mark.torch
@pytest.mark.parametrize("size", [(5, 11), (18, 14), (9, 3), 4, (1, 1)])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_resize_as_torch(size, mode):
    import torch

    y = T.Resize(size, mode)(IMAGES)
    options = {"align_corners": False} if mode == "bilinear" else {}
    want = torch.nn.functional.interpolate(torch.tensor(IMAGES), y.shape[2:], mode=mode, **options)
    assert np.allclose(y, want.numpy(), rtol=1e-5, atol=1e-6)
    if size == 4:
        assert y.shape[2:] == (5, 4)
