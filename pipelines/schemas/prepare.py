"""What the stage prepare writes beside the data."""

from pydantic import Field

from pipelines.schemas.schema import Schema


class SkippedFile(Schema):
    file: str
    reason: str


class Same(Schema):
    """Two files, or images by number, that are the same pixel for pixel."""

    train: str
    test: str


class LabelCount(Schema):
    """How many images of a label there are in each split."""

    label: str
    train: int
    test: int


class LeftOutFiles(Schema):
    """Files that are no images: how many of a kind, and in which sub-folder (`.` for the folder itself)."""

    place: str
    kind: str = Field(description="their suffix, or what they are: hidden, in a folder that a tool left")
    files: int


class ImagesElsewhere(Schema):
    """Images that links in a sub-folder lead to outside of dataset.path."""

    place: str
    target: str = Field(description="the folder that all of them lie in")
    images: int
    by_folder: bool = Field(description="by a link to a folder, behind which DVC does not look")


class CaptionCount(Schema):
    """How many images have how many captions."""

    captions: int
    images: int


class CaptionFaults(Schema):
    """Captions that are not kept, or not there: why, how many, and where some of them are."""

    reason: str
    count: int
    places: list[str]


class PrepareMetrics(Schema):
    """metrics/prepare.json: what the dataset has become."""

    train_images: int
    test_images: int
    labels: int
    num_skipped: int = Field(description="files that cannot be used (dataset.on_bad_image)")
    num_in_both_splits: int = Field(description="images of the test split that are in the training split too")
    num_left_out: int = Field(default=0, description="files in dataset.path that are no images")
    num_elsewhere: int = Field(default=0, description="images that links lead to outside of dataset.path")
    num_captioned: int = Field(default=0, description="images that have a caption")
    num_captions: int = Field(default=0, description="captions of all images")
    skipped: list[SkippedFile]
    in_both_splits: list[Same]
    by_label: list[LabelCount] = Field(default=[], description="empty without labels")
    left_out: list[LeftOutFiles] = Field(default=[])
    elsewhere: list[ImagesElsewhere] = Field(default=[])
    by_captions: list[CaptionCount] = Field(default=[], description="empty where no image has a caption")
    caption_faults: list[CaptionFaults] = Field(default=[])
    warnings: list[str] = Field(default=[], description="what may not be as it was meant")
