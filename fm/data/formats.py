"""Which files are images: what is read, and what is an image but not read here. Every other file is none."""

FORMATS = {
    "AVIF": (".avif",),
    "BMP": (".bmp",),
    "DIB": (".dib",),
    "GIF": (".gif",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "PCX": (".pcx",),
    "PNG": (".png", ".apng"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "QOI": (".qoi",),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "TGA": (".tga", ".icb", ".vda", ".vst"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
"""Pillow's name of a format, and the suffixes it comes with. Pillow knows more formats: some are no images, and for
EPS it starts another program, whatever the file is called."""

READ_SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)

NOT_READ = """
    .heic .heif .hif .avci .avifs .jxl .jxr .wdp .hdp .svg .svgz .bpg .flif
    .dng .raw .3fr .arw .cr2 .cr3 .crw .dcr .erf .fff .gpr .iiq .k25 .kdc .mef .mos .mrw .nef .nrw .orf .pef .ptx .raf
    .rw2 .rwl .sr2 .srf .srw .x3f
    .psd .psb .xcf .kra .clip .ora .exr .hdr .pfm .dds .dcm .dicom .fit .fits .emf .wmf
    .blp .cur .dcx .fli .flc .ftc .ftu .icns .ico .msp .palm .pcd .pict .pct .pxr .ras .wal .xbm .xpm
"""

NOT_READ_SUFFIXES = frozenset(NOT_READ.split())
"""Suffixes of images that have to be converted first: of telephones, cameras, programs, and systems of old."""

SUFFIXES = READ_SUFFIXES | NOT_READ_SUFFIXES
