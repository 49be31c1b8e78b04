"""The table of all networks."""

from gossamer.registry import Registry

NETWORKS = Registry(
    "network",
    {
        "digits-plain": "gossamer.nets.families.digits:PLAIN",
        "digits-igc": "gossamer.nets.families.digits:INTERLEAVED",
        "regconv-w16-d20": "gossamer.nets.families.igcv1:REGCONV_W16_D20",
        "regconv-w18-d20": "gossamer.nets.families.igcv1:REGCONV_W18_D20",
        "igcv1-l24m2-d20": "gossamer.nets.families.igcv1:L24M2_D20",
        "igcv1-l24m2-d38": "gossamer.nets.families.igcv1:L24M2_D38",
        "igcv1-l4m8-d20": "gossamer.nets.families.igcv1:L4M8_D20",
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
