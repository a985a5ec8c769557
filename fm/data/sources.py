"""The datasets there are. A new one is a module of its own and a line here."""

from fm.data.cifar10 import CIFAR10
from fm.data.coded import CodedSplits
from fm.data.dataset import CodedDataset, Dataset, Request
from fm.data.digits import Digits
from fm.data.fashion_mnist import FashionMNIST
from fm.data.fetching import DatasetUnavailable
from fm.data.field_files import FieldFiles
from fm.data.furniture_voxels import FurnitureVoxels
from fm.data.icons import Icons
from fm.data.image_folder import ImageFolder
from fm.data.listing import FileDataset
from fm.data.moving_emoji import MovingEmoji
from fm.data.moving_garments import MovingGarments
from fm.data.parquet import Parquet
from fm.data.relief import Relief
from fm.data.splits import Splits
from fm.data.turbulence import Turbulence
from fm.data.video_folder import VideoFolder
from fm.data.volume_folder import VolumeFolder
from fm.data.webdataset import WebDataset

__all__ = [
    "CIFAR10",
    "CodedDataset",
    "CodedSplits",
    "Dataset",
    "DatasetUnavailable",
    "Digits",
    "FashionMNIST",
    "FieldFiles",
    "FileDataset",
    "FurnitureVoxels",
    "Icons",
    "ImageFolder",
    "MovingEmoji",
    "MovingGarments",
    "Parquet",
    "Relief",
    "Request",
    "Splits",
    "Turbulence",
    "VideoFolder",
    "VolumeFolder",
    "WebDataset",
]
