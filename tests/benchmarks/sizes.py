"""Sizes at which a benchmark is only tried."""

from benchmarks.gpu.sizes import Case, Sizes

TINY = Sizes(
    cases=(Case("tiny UNet", (1, 8, 8), {"name": "unet", "width": 8, "blocks": 1}, 4),),
    compiled=(),
    square=64,
    sampled=(("float32", 1), ("bf16", 3)),
    sampled_compiled=(),
    steps=2,
    produced=(((1, 8, 8), 4),),
    workers=(0,),
    trained=10,
    transported=Case("tiny UNet", (1, 8, 8), {"name": "unet", "width": 8, "blocks": 1}, 4),
    derived=(0,),
    seconds=0.01,
)
