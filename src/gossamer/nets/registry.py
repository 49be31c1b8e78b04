"""The table of all networks."""

from gossamer.registry import Registry

NETWORKS = Registry(
    "network",
    {
        "digits-plain": "gossamer.nets.families.digits:PLAIN",
        "digits-igc": "gossamer.nets.families.digits:INTERLEAVED",
        # IGCV1: plain CIFAR networks, with identity shortcuts, ImageNet
        "regconv-w16-d20": "gossamer.nets.families.igcv1:REGCONV_W16_D20",
        "regconv-w18-d20": "gossamer.nets.families.igcv1:REGCONV_W18_D20",
        "regconv-w18-d38": "gossamer.nets.families.igcv1:REGCONV_W18_D38",
        "regconv-w18-d62": "gossamer.nets.families.igcv1:REGCONV_W18_D62",
        "regconv-w16-d50-identity": "gossamer.nets.families.igcv1:REGCONV_W16_D50_ID",
        "regconv-w16-d74-identity": "gossamer.nets.families.igcv1:REGCONV_W16_D74_ID",
        "regconv-w16-d98-identity": "gossamer.nets.families.igcv1:REGCONV_W16_D98_ID",
        "regconv-w18-d50-identity": "gossamer.nets.families.igcv1:REGCONV_W18_D50_ID",
        "regconv-w18-d74-identity": "gossamer.nets.families.igcv1:REGCONV_W18_D74_ID",
        "regconv-w18-d98-identity": "gossamer.nets.families.igcv1:REGCONV_W18_D98_ID",
        "igcv1-l24m2-d20": "gossamer.nets.families.igcv1:L24M2_D20",
        "igcv1-l24m2-d38": "gossamer.nets.families.igcv1:L24M2_D38",
        "igcv1-l24m2-d62": "gossamer.nets.families.igcv1:L24M2_D62",
        "igcv1-l4m8-d20": "gossamer.nets.families.igcv1:L4M8_D20",
        "igcv1-l4m8-d38": "gossamer.nets.families.igcv1:L4M8_D38",
        "igcv1-l4m8-d62": "gossamer.nets.families.igcv1:L4M8_D62",
        "igcv1-l24m2-d50-identity": "gossamer.nets.families.igcv1:L24M2_D50_ID",
        "igcv1-l24m2-d74-identity": "gossamer.nets.families.igcv1:L24M2_D74_ID",
        "igcv1-l24m2-d98-identity": "gossamer.nets.families.igcv1:L24M2_D98_ID",
        "igcv1-l16m32-d20-identity": "gossamer.nets.families.igcv1:L16M32_D20_ID",
        "igcv1-l32m26-d20-identity": "gossamer.nets.families.igcv1:L32M26_D20_ID",
        "igcv1-l450m2-d20-identity": "gossamer.nets.families.igcv1:L450M2_D20_ID",
        "igcv1-l100m2-imagenet": "gossamer.nets.families.igcv1:L100M2_IMAGENET",
        "igcv1-l4m32-imagenet": "gossamer.nets.families.igcv1:L4M32_IMAGENET",
        "igcv1-l16m16-imagenet": "gossamer.nets.families.igcv1:L16M16_IMAGENET",
        # IGCV2
        "igcv2-star-c416-d20": "gossamer.nets.families.igcv2:STAR_C416_D20",
        "igcv2-star-c416-d20-dense": "gossamer.nets.families.igcv2:STAR_C416_D20_DENSE",
        "igcv2-star-c80-d8": "gossamer.nets.families.igcv2:STAR_C80_D8",
        "igcv2-1.0": "gossamer.nets.families.igcv2:MOBILE_100",
        "igcv2-0.5": "gossamer.nets.families.igcv2:MOBILE_050",
        "igcv2-0.25": "gossamer.nets.families.igcv2:MOBILE_025",
        # IGCV3
        "igcv3-d": "gossamer.nets.families.igcv3:D",
        "igcv3-d-1.4": "gossamer.nets.families.igcv3:D_140",
        "igcv3-d-0.75": "gossamer.nets.families.igcv3:D_075",
        "igcv3-d-0.7": "gossamer.nets.families.igcv3:D_070",
        "igcv3-d-0.5": "gossamer.nets.families.igcv3:D_050",
        "igcv3-d-0.25": "gossamer.nets.families.igcv3:D_025",
        "igcv3-d-g2g4": "gossamer.nets.families.igcv3:D_G2G4",
        "igcv3-w": "gossamer.nets.families.igcv3:W",
        "igcv3-d-cifar": "gossamer.nets.families.igcv3:D_CIFAR",
        # MobileNet
        "mobilenet-v1": "gossamer.nets.families.mobilenet_v1:X100",
        "mobilenet-v1-0.75": "gossamer.nets.families.mobilenet_v1:X075",
        "mobilenet-v1-0.5": "gossamer.nets.families.mobilenet_v1:X050",
        "mobilenet-v1-0.25": "gossamer.nets.families.mobilenet_v1:X025",
        # MobileNetV2
        "mobilenet-v2-1.4": "gossamer.nets.families.mobilenet_v2:X140",
        "mobilenet-v2-1.3": "gossamer.nets.families.mobilenet_v2:X130",
        "mobilenet-v2": "gossamer.nets.families.mobilenet_v2:X100",
        "mobilenet-v2-0.75": "gossamer.nets.families.mobilenet_v2:X075",
        "mobilenet-v2-0.5": "gossamer.nets.families.mobilenet_v2:X050",
        "mobilenet-v2-0.35": "gossamer.nets.families.mobilenet_v2:X035",
        "mobilenet-v2-cifar": "gossamer.nets.families.mobilenet_v2:CIFAR",
        # Xception
        "xception": "gossamer.nets.families.xception:XCEPTION",
        # SqueezeNet
        "squeezenet-1.0": "gossamer.nets.families.squeezenet:V1_0",
        "squeezenet-1.1": "gossamer.nets.families.squeezenet:V1_1",
        # LeNet
        "lenet-300-100": "gossamer.nets.families.lenet:LENET_300_100",
        "lenet-5": "gossamer.nets.families.lenet:LENET_5",
        # AlexNet
        "alexnet": "gossamer.nets.families.alexnet:ALEXNET",
        "alexnet-ungrouped": "gossamer.nets.families.alexnet:UNGROUPED",
        # VGG
        "vgg-11": "gossamer.nets.families.vgg:VGG_11",
        "vgg-13": "gossamer.nets.families.vgg:VGG_13",
        "vgg-16": "gossamer.nets.families.vgg:VGG_16",
        "vgg-16-c": "gossamer.nets.families.vgg:VGG_16_C",
        "vgg-19": "gossamer.nets.families.vgg:VGG_19",
        "vgg-11-bn": "gossamer.nets.families.vgg:VGG_11_BN",
        "vgg-13-bn": "gossamer.nets.families.vgg:VGG_13_BN",
        "vgg-16-bn": "gossamer.nets.families.vgg:VGG_16_BN",
        "vgg-19-bn": "gossamer.nets.families.vgg:VGG_19_BN",
        # GoogLeNet
        "googlenet": "gossamer.nets.families.googlenet:GOOGLENET",
        "googlenet-bn": "gossamer.nets.families.googlenet:GOOGLENET_BN",
        "googlenet-torchvision": "gossamer.nets.families.googlenet:GOOGLENET_TORCHVISION",
        # Highway networks
        "highway-19-cifar": "gossamer.nets.families.highway:HIGHWAY_19",
        # ResNet for ImageNet
        "resnet-18": "gossamer.nets.families.resnet:RESNET_18",
        "resnet-34": "gossamer.nets.families.resnet:RESNET_34",
        "resnet-50": "gossamer.nets.families.resnet:RESNET_50",
        "resnet-101": "gossamer.nets.families.resnet:RESNET_101",
        "resnet-152": "gossamer.nets.families.resnet:RESNET_152",
        # ResNet for CIFAR
        "resnet-20-cifar": "gossamer.nets.families.resnet_cifar:RESNET_20",
        "resnet-32-cifar": "gossamer.nets.families.resnet_cifar:RESNET_32",
        "resnet-44-cifar": "gossamer.nets.families.resnet_cifar:RESNET_44",
        "resnet-56-cifar": "gossamer.nets.families.resnet_cifar:RESNET_56",
        "resnet-110-cifar": "gossamer.nets.families.resnet_cifar:RESNET_110",
        "resnet-1202-cifar": "gossamer.nets.families.resnet_cifar:RESNET_1202",
        "preresnet-164-cifar": "gossamer.nets.families.resnet_cifar:PRERESNET_164",
        "preresnet-1001-cifar": "gossamer.nets.families.resnet_cifar:PRERESNET_1001",
    },
)
