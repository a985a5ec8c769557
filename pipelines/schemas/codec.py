"""What making a codec comes to, and what it loses."""

from pydantic import Field

from fm.arithmetic import Arithmetic
from pipelines.schemas.machine import Load
from pipelines.schemas.schema import Schema


class CodecMetrics(Schema):
    """metrics/codec.json: the autoencoder whose latents networks are trained on, and held-out pictures given back."""

    autoencoder: str = Field(description="its kind")
    factor: int = Field(description="pixels a side that become one point of the latents")
    shape: list[int] = Field(description="(c, h, w) of a picture's latents")
    parameters: int
    images_seen: int = Field(description="by its training; 0 where it was taken as it is")
    seconds: float = Field(description="spent training and standardising, over all resumptions")
    peak_memory_bytes: int = Field(description="device memory on a GPU, resident set on a CPU")
    resumed: int = Field(description="times the training was resumed")
    device: str
    arithmetic: Arithmetic | None = Field(default=None, description="of its training")
    given_back: int = Field(description="held-out pictures that were encoded and decoded")
    psnr: float = Field(description="of those, in dB: the mean")
    psnr_low: float = Field(description="a twentieth of them is below")
    psnr_high: float = Field(description="a twentieth of them is above")
    extractor: str
    distance: float = Field(description="Frechet distance of what is given back from the training split: the floor")
    distance_real: float = Field(description="the same of these pictures themselves")
    num_images: int = Field(description="of each set that was measured so, as of evaluate's")
    seconds_per_encoded: float
    seconds_per_decoded: float
    machine_load: Load | None = Field(default=None, description="while it was made")
