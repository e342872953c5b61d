"""The declared raw files of the published datasets: address, size, hash, licence.

The hash is the guard: a commit is named where one is known to hold the file, the default branch otherwise,
and a host that serves anything else is refused either way.
"""

from __future__ import annotations

from dataclasses import replace

from mtbench.data.sources import Source


def _github(tree: str, licence: str, table: str, *, into: str = "", required: bool = True) -> tuple[Source, ...]:
    """Files of a folder on GitHub, OWNER/NAME/COMMIT/FOLDER/; a row of ``table`` is SHA256 SIZE NAME."""
    rows = (line.split(" ", 2) for line in table.strip().splitlines())
    return tuple(
        Source(
            path=f"{into}{name}",
            url=f"https://raw.githubusercontent.com/{tree}{name}",
            sha256=sha256,
            size=int(size),
            licence=licence,
            required=required,
        )
        for sha256, size, name in rows
    )


_GUO = "XiaoxiaoGuo/fashion-retrieval"
_IQ = "XiaoxiaoGuo/fashion-iq/master"
_DQU = "haokunwen/DQU-CIR"
_YUAN = "yfyuan01/MultiturnFashionRetrieval"

SHOES = (
    *_github(
        f"{_GUO}/58f6aa9908d319c5d9b3c480dd3a42682ff4e2be/dataset/",
        "MIT",
        """
717d815ca134f166d1a6e12a2b2e86b94dfdf22f3a45c3b984b59bfd89d91cdf 1601188 relative_captions_shoes.json
""",
    ),
    *_github(
        f"{_GUO}/2b24f270648e1f5e83fb19f2d459fbfd5737f443/dataset/",
        "MIT",
        """
dd7f58d8d65f95c17c585cd62efd3038a8a6ed4d8ee0d6153287f75b76d1c64f 283658 train_im_names.txt
""",
    ),
    *_github(
        f"{_GUO}/53c9a2b06af59e8cab27dba9b4d65830937235c1/dataset/",
        "MIT",
        """
f1fd756f9c9841119c2d601994f16338f4e9b8f2846aaec0748ba873654548f3 132354 eval_im_names.txt
""",
    ),
    *_github(
        f"{_GUO}/58f6aa9908d319c5d9b3c480dd3a42682ff4e2be/dataset/",
        "MIT",
        """
702b6f5a8578426567d4830133565e297e8c8a5c68eb753eb34d06fa3c177895 313083 captions_shoes.json
""",
        required=False,
    ),
    # one BLIP-2 caption per image, the caption proxy; renamed to keep it apart from the human ones
    *(
        replace(source, path="image_captions_blip2.json")
        for source in _github(
            f"{_DQU}/8b5ddbdd6696dc3ea0d0bcd05b2de466f9019211/data/Shoes/",
            "Apache-2.0",
            """
3bde8b308bf86fbd1f33dd9f87044c558a0c685b187dbe3f06d3255b78bd93ce 1154339 image_captions_shoes.json
""",
            required=False,
        )
    ),
)

FASHIONIQ = (
    *_github(
        f"{_IQ}/captions/",
        "CDLA",
        """
1691bd52e5bbda755b0c1f14d1024000be2c57a0cc29511a327af1372636a946 1178488 cap.dress.train.json
5e5117d45695df9c3ca91fac3e0bc49e6422ae9c8b3793f0ac9b3ab83adb7de9 397427 cap.dress.val.json
190240b3b4d115cd4f80de65ab78ca18a3f8581c041cbeea6f5a1f57ee4f5a48 335557 cap.dress.test.json
0999ce5da01a38f0cef1547941b738f4c56e225fdd9b8e03e2a6edaf292f94c3 1167604 cap.shirt.train.json
7b7ca3797b85dddfd83e74cdb4454cb63e3e7c09acef2590155efbacea6d7feb 398072 cap.shirt.val.json
27c7551b005d4befa53135a7ddee5e31c97821eafd3ceb3fec514e7ac0ad83a7 333382 cap.shirt.test.json
6daa171a9e744823087780a3b69b8b697bd05526adb6dd55a38ee6c4904ab348 1200387 cap.toptee.train.json
b4e09f428e6c255cc4b4ec46e77908305ab83075d82840c960be81af15cdc5eb 391897 cap.toptee.val.json
db822aa52340ce1f09c3000064f79b60b6c476b50b98bf34200dd2996c06e146 345441 cap.toptee.test.json
""",
        into="captions/",
    ),
    *_github(
        f"{_IQ}/image_splits/",
        "CDLA",
        """
dcb1c7329003e85e39a3010147a620cee4b7de6a5ddf2626f253bc9a2cdd78e5 206138 split.dress.train.json
21ff91d53c23859da91bfd49f3acc139b7f3a3dc944fc4e4a80194468cf14bab 68708 split.dress.val.json
1d1d3af24b9ec4ed3f7805c53a870148df9b51e232b32912505d8ae54718353d 68726 split.dress.test.json
1552c05d866d31b43321a719b2cb8a65f02c53e9a6bc355861fe1d62498b9983 342650 split.shirt.train.json
b82effbf7352a6f828b38c45eb32e53d726bd4d6fd81d6290c81eeb2c68e3234 114230 split.shirt.val.json
8d243830e80e77c23c8dc9a85db87813230d38da146f0706082db812f591968b 114230 split.shirt.test.json
aa9b3a55332340f21360fb6a3fe174badd27ce389fe7d78d890bf2b9032ffe05 290180 split.toptee.train.json
ee42b2505275dd7a19b11ddb88c9264aab2d77f4e59b075fb1c7c3095d02f412 96716 split.toptee.val.json
25a30d4f4013a04026585399b10980db7cba39dfaad0d97a0671a62e2125ddbf 96734 split.toptee.test.json
""",
        into="image_splits/",
    ),
    *_github(
        f"{_DQU}/daad2330f2859bdf739a54ede68f221353eaabbc/data/FashionIQ/captions/",
        "Apache-2.0",
        """
34d9e59ea1614a323d13fd4d2ac731e55a6d0e9291168aab606d3cc0d86b93a4 652759 image_captions_dress_train.json
0eb5afb4a749b87ed309a43405dfd6ce68030d227f754a0077e51cfb12ba4be8 218342 image_captions_dress_val.json
0691d5e2b6f53826ffc69a284de40a3cdd69fa2b81c57b4c2fd81d2244fa0474 1157699 image_captions_shirt_train.json
82219bf0797cf95bfd9cd6246bf4352a69c019f7da9bcba59ebf2d577c75201c 385981 image_captions_shirt_val.json
87e5eccb8e7ff4763f9901ef58ef39150c82baf5a8dca9df7a4bfc0a9c501637 955621 image_captions_toptee_train.json
5175de1ff4a25b3600b1b0db73d3bf3756c26313d7477e88495ba0536d6ef537 318609 image_captions_toptee_val.json
""",
        into="image_captions_blip2/",
        required=False,
    ),
)

MULTITURN = (
    *_github(
        f"{_YUAN}/cf5fcc0a17e77273fb7e8ddd6e611c29979fd682/data/",
        "none stated",
        """
910382f8ba5114f911be3068aeff217cfbbd9691a264455b98662c296dc636a7 1400452 dress.train.json
0fab57ee66f28054e3546eb676b42b083e66eb4ae45607b2a425ab078154e3df 869835 dress.val.json
0ce0dc3ecf18535bc78695c67709e355e990751ecc257e63681766f08b97c103 1233008 shirt.train.json
""",
        into="data/",
    ),
    *_github(
        f"{_YUAN}/c3549d881a8b9c995eeefa59dbdfbe27c6aa69a3/data/",
        "none stated",
        """
95279d8c36e7e14eb55bd98e4a2200d0fec5f61413617d3470cfd47d6cb9f332 288831 shirt.val.json
""",
        into="data/",
    ),
    *_github(
        f"{_YUAN}/4aaf5e7368b1d6bd433bb8c3e68bf36f4fb60bde/Multiturn/",
        "none stated",
        """
885c671630d786de02c5d29d087c4ea2b5a1ba8fe725080a1e4d600c9d8327ed 1177735 toptee.train.json
""",
        into="data/",
    ),
    *_github(
        f"{_YUAN}/f1c21928d2724c91ff8118789e6816582b9b7170/data/",
        "none stated",
        """
5e834d286496590e763dfa00ec3657fe6a41d1e9e9947c1266d0c300d2def75b 304512 toptee.val.json
""",
        into="data/",
    ),
    *_github(
        f"{_YUAN}/4aaf5e7368b1d6bd433bb8c3e68bf36f4fb60bde/Multiturn/",
        "none stated",
        """
e88b7eda7a588530e6ab35d98f60cb6d0a2ae805bcd2b975a1b0503dd1d4c2b8 3811195 all.train.json
""",
        into="data/",
        required=False,
    ),
    *_github(
        f"{_YUAN}/cf5fcc0a17e77273fb7e8ddd6e611c29979fd682/data/",
        "none stated",
        """
bd01d3927e2d610ca5658870e7c801b8c62f4c3ac1ac31c8c2dd84229dcf65b9 1055508 all.val.json
""",
        into="data/",
        required=False,
    ),
    *_github(
        f"{_YUAN}/4bb2ed9939fa620db9bee1c17247c9577f700afe/attr/",
        "none stated",
        """
f8553c9dad699e9ca0a3c5027165a4765dea9b66bb18ea5cb3de9d326a17d834 4030896 asin2attr.all.train.new.json
79eed0972e96e674cf4174b0d06686dc70ac4c8e9127baa740fe6ae9dc3ea7f3 3862658 asin2attr.all.val.new.json
""",
        into="attr/",
    ),
    # every row of these two is in the files above
    *_github(
        f"{_YUAN}/4bb2ed9939fa620db9bee1c17247c9577f700afe/attr/",
        "none stated",
        """
ab647c2ab586c3a622da4a64770cac88aee645ce893720e20f4a11cfc02e5885 454597 asin2attr.dress.train.new.json
29bbb522cf6f4e1dedf562afbc147f23e9713a0d81a49e69ef2801dc2cbdab38 289926 asin2attr.dress.val.new.json
""",
        into="attr/",
        required=False,
    ),
    *_github(
        f"{_YUAN}/c3549d881a8b9c995eeefa59dbdfbe27c6aa69a3/image_splits/",
        "none stated",
        """
9ad820deefeec6de4af957c47bd9d7023451d07e1561ab5fa689aa05b7a45005 76571 split.dress.train.json
643d22f7df5fe3a5ea1be7c3a496ea3226ef177f14e3de5ee210545f761c5d6b 48679 split.dress.val.json
576b52b609b390b9324972d7d1a59e4d4b7b46aa4e3ee69da13ad37935a383ce 52905 split.shirt.train.json
56d3b88525040fab12558164ea31e19423e7fe22daedc8f541452e2cfdd6f87e 30091 split.shirt.val.json
76e09428cd3eb1bd8c4077ff5c2e022497abed2b40296edb742da7d0997e0811 33015 split.toptee.val.json
""",
        into="image_splits/",
    ),
    *_github(
        f"{_YUAN}/e6de7a2278089600512ab019dba4ace8275b3ddf/image_splits/",
        "none stated",
        """
05dcf470d7cfd258a9b6ce538e3ce11201b77356beefaaa503707c3585f09068 56033 split.toptee.train.json
""",
        into="image_splits/",
    ),
    *_github(
        f"{_YUAN}/c3549d881a8b9c995eeefa59dbdfbe27c6aa69a3/image_splits/",
        "none stated",
        """
de372b6f2424eedbd639d0ed585b09d4b94bb3c804e58351e31458942c1fbcb4 146132 split.all.train.json
9318f0a0671ab9298894e74a8a57de257417102f0448002792e77b8ed17b2c14 87836 split.all.val.json
""",
        into="image_splits/",
        required=False,
    ),
)
