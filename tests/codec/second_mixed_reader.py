"""Reads mixed sections, written from `docs/format.md` alone; slow, with dictionaries by name."""

import math
import struct
from collections import defaultdict
from decimal import Decimal, localcontext


def make_squash():
    with localcontext() as context:
        context.prec = 50
        return [int(65536 / (1 + (Decimal(-x) / 256).exp())) for x in range(-2047, 2048)]


SQUASH = make_squash()
STRETCH = []
for i in range(4096):
    x = STRETCH[-1] if STRETCH else -2047
    while x < 2047 and SQUASH[x + 2047] < 16 * i + 8:
        x += 1
    STRETCH.append(x)


def clamp(value, limit):
    return max(-limit, min(limit, value))


class Slot:
    def __init__(self, p=1 << 21, n=0):
        self.p, self.n = p, n

    def learn(self, bit, most=1023):
        rate = 327680 // (5 * self.n + 8)
        self.p += (bit * 2**22 - self.p) * rate >> 16
        self.p = max(64, min(2**22 - 64, self.p))
        self.n = min(self.n + 1, most)


def refining():
    starts = [SQUASH[clamp(128 * k - 2048, 2047) + 2047] for k in range(33)]
    return [Slot(64 * max(16, min(65520, p)), 6) for p in starts]


def started(family):
    return [2621, 52428, *[2621] * 6] if family == "float" else [7864] * 8


class Sets(dict):
    def __init__(self, start):
        super().__init__()
        self.start = start

    def __missing__(self, name):
        self[name] = [*self.start(name[0]), *[0] * 8]
        return self[name]


class Mixed:
    def __init__(self, data, version, start=started, pace=None):
        self.version = version
        self.pace = pace or {3: 80, 4: 80, 5: 140, 6: 180}[version]
        self.data, self.at, self.v, self.w = data, 0, 0, 2**32 - 1
        for _ in range(4):
            self.next_byte()
        self.slots = defaultdict(Slot)
        self.weights = Sets(start if version > 4 else lambda family: [7864] * 8)
        self.refining = defaultdict(refining)
        self.uses = 1023
        self.totals, self.predictors, self.trend = [], {}, Trend()

    def next_byte(self):
        self.v = self.v * 256 + (self.data[self.at] if self.at < len(self.data) else 0)
        self.at += 1

    def bit(self, p):
        a = self.w * max(24, min(65512, p)) >> 16
        if self.v < a:
            found, self.w = 1, a
        else:
            found, self.v, self.w = 0, self.v - a, self.w - a
        while self.w < 2**24:
            self.w *= 256
            self.next_byte()
        return found

    def even(self, bits):
        a = self.w >> bits
        found = min(self.v // a, 2**bits - 1)
        self.v, self.w = min(self.v - found * a, a - 1), a
        while self.w < 2**24:
            self.w *= 256
            self.next_byte()
        return found

    def begin(self):
        """Read what a section begins with."""
        if self.version > 4:
            self.uses = (127, 1023)[self.number(6)]
        return self

    def plain(self, *name, told=None):
        if self.version > 4 and name[0] == "mantissa" and name not in self.slots:
            self.slots[name] = Slot(n=8)
        slot = self.slots[name]
        found = self.bit(slot.p >> 6 if told is None else 3 * told + (slot.p >> 6) >> 2)
        slot.learn(found)
        return found

    def mixed(self, names, sets, refining, too, uses=1023):
        slots = [name if isinstance(name, Slot) else self.slots[name] for name in names]
        trusts = [math.isqrt(65536 * (10 * s.n + 3) // (10 * s.n + 25)) for s in slots]
        inputs = [STRETCH[s.p >> 10] * t >> 8 for s, t in zip(slots, trusts, strict=True)]
        inputs += [((s.p >> 6) - 32768 >> 5) * t >> 8 for s, t in zip(slots, trusts, strict=True)]
        weights = [self.weights[name] for name in sets]
        means = [
            clamp(sum(a * b for a, b in zip(w, inputs, strict=True)) >> 16, 2047) for w in weights
        ]
        m = sum(means) >> 1
        k, f = divmod((m + 2048) * 32, 4096)
        fine = [self.refining[refining]]
        if self.version > 4:
            fine.append(self.refining["too", *too])
        p = (4 - len(fine)) * SQUASH[m + 2047]
        for one in fine:
            p += ((one[k].p >> 6) * (4096 - f) + (one[k + 1].p >> 6) * f) >> 12
        found = self.bit(p >> 2)
        for one in fine:
            one[k + (f >= 2048)].learn(found)
        for w, mean in zip(weights, means, strict=True):
            e = (found * 65536 - SQUASH[mean + 2047]) * self.pace >> 10
            w[:] = [a + (x * e + 8192 >> 14) for a, x in zip(w, inputs, strict=True)]
        for slot in slots:
            slot.learn(found, uses)
        return found

    def finish(self):
        window = int.from_bytes((self.data + bytes(8))[self.at - 4 : self.at], "big")
        low = (window - self.v) % 2**32
        best = max(range(5), key=lambda z: (self.ends_in(low, z) is not None, z))
        assert self.ends_in(low, best) % 2**32 == window
        assert self.at - 4 <= len(self.data) <= self.at
        assert len(self.data) == self.at - 4 or self.data[-1]

    def ends_in(self, low, zeros):
        number = -(-low // 256**zeros) * 256**zeros
        return number if number < low + self.w else None

    def forget(self, kind):
        for name in [name for name in self.slots if name[:2] == (kind, "fresh")]:
            del self.slots[name]

    def number(self, c):
        length = 1
        while length < 40 and self.plain("number", c, length):
            length += 1
        u = 1
        for i in range(length - 1):
            u = 2 * u + self.plain("number", c, 64 if i else 64 + length)
        return u - 1

    def floats(self, count, totals=()):
        self.forget("float")
        totals = totals if len(totals) == count else [0] * count
        unmixed = noise = 0
        if self.version > 5 and count:
            unmixed, noise = self.number(7), self.number(8)
            assert unmixed < 2
            assert noise < 2
        trend = self.trend if self.version > 4 and count > 1 and not unmixed else None
        if trend:
            trend.begin()
        values = []
        for index in range(count):
            i = index % 2**15
            if i == 0:
                v1 = v2 = 127 << 23
                same = (0, 0)
            same = (same[1], self.plain("same", *same))
            if trend:
                trend.expect(totals[index])
            value = v1 if same[1] else self.one_float(v1, v2, i, trend, unmixed, noise)
            if trend:
                trend.follow(totals[index], value)
            v1, v2 = value, v1
            values.append(value)
        return [struct.pack("<I", value) for value in values]

    def one_float(self, v1, v2, i, trend, unmixed, noise):
        x1, x2 = (max(0, min(127, (v >> 23 & 255) - 64)) for v in (v1, v2))
        g = 2 * (v1 >> 31) + (v2 >> 31)
        values = [0, x1, x2, max(x1, x2), 32 * g + min(i, 31), x1 + x2 >> 1, g]
        if unmixed:
            high = [self.plain("float", 6, x1 + x2 >> 1, "sign")]
            for _ in range(8):
                high.append(self.plain("float", 6, x1 + x2 >> 1, (0, *high[1:])))
        else:
            high = self.sign_and_exponent(values, trend)
        value, mantissa = int("".join(map(str, high)), 2), []
        for place in range(22, 19 if noise else -1, -1):
            z = v1 % (2 << place) == 0
            h = tuple([0, 0, *mantissa][-2:]) if place >= 20 else ()
            told = trend.chance(high + mantissa) if trend and place >= 20 else None
            mantissa.append(self.plain("mantissa", place, z, h, told=told))
        for _ in range(2 * noise):
            mantissa += map(int, f"{self.even(10):010b}")
        return value << 23 | int("".join(map(str, mantissa)), 2)

    def sign_and_exponent(self, values, trend):
        high = []
        for d in range(9):
            node = (0, *high[1:]) if d else "sign"
            names = [("float", "fresh", node)]
            names += [("float", n, value, node) for n, value in enumerate(values, 1)]
            if trend:
                names[1] = Slot(64 * max(1, min(65535, trend.chance(high))), 1023)
            sets = ("float", d), ("float", d + 16)
            high.append(self.mixed(names, sets, "float", ("float", d)))
        return high

    def levels(self, shape):
        offset, longest = self.number(2), self.number(3)
        if longest == 0:
            return [0] * math.prod(shape)
        self.forget("level")
        return [
            x + offset if x > 0 else x - offset if x < 0 else 0
            for x in Levels(self, shape, longest).read()
        ]

    def chained(self, shape):
        longest = self.number(3)
        assert 1 <= longest <= 14
        self.forget("level")
        return Levels(self, shape, longest, chained=True).read()

    def codebook(self, shape):
        form = self.number(5)
        assert form < 2 or self.version > 4
        if form:
            step = struct.unpack("<f", self.floats(1)[0])[0]
            levels = self.chained(shape) if form == 2 else self.levels(shape)
            self.sum_up(levels, shape, [step] * math.prod(shape[:1]))
            used = sorted(set(levels) - {0})
            value_of = {level: struct.pack("<f", level * step) for level in used}
        else:
            centroids = self.floats(self.number(4))
            z = sum(four[3] >> 7 for four in centroids)
            value_of = {c - z + (c >= z): four for c, four in enumerate(centroids)}
            levels = self.levels(shape)
        return [value_of[level] if level else bytes(4) for level in levels]

    def tensor(self, shape):
        kind = self.number(0)
        size = math.prod(shape)
        if kind == 0:
            return self.codebook(shape) if self.number(1) else self.floats(size, self.totals)
        if kind == 1:
            levels = self.levels(shape)
            values = iter(self.floats(sum(levels)))
            return [next(values) if level else bytes(4) for level in levels]
        if kind == 2:
            return self.codebook(shape)
        assert kind == 3
        scales = [struct.unpack("<f", four)[0] for four in self.floats(shape[0])]
        each = size // shape[0]
        levels = self.levels(shape)
        self.sum_up(levels, shape, scales)
        return [
            struct.pack("<f", level * scales[place // each] + 0.0)
            for place, level in enumerate(levels)
        ]

    def sum_up(self, levels, shape, steps):
        each = len(levels) // shape[0] if shape else 0
        sums = [sum(levels[k * each : (k + 1) * each]) for k in range(len(steps))] if each else []
        self.totals = [
            clamp(math.floor(total * step * 2**20), 2**24)
            for total, step in zip(sums, steps, strict=False)
        ]


class Trend:
    def __init__(self):
        self.n = self.z = self.zz = self.y = self.zy = self.d = self.m = 0

    def halve(self):
        self.n, self.z, self.zz = self.n >> 1, self.z >> 1, self.zz >> 1
        self.y, self.zy = self.y >> 1, self.zy >> 1

    def even(self, bits):
        a = self.w >> bits
        found = min(self.v // a, 2**bits - 1)
        self.v, self.w = min(self.v - found * a, a - 1), a
        while self.w < 2**24:
            self.w *= 256
            self.next_byte()
        return found

    def begin(self):
        while self.n > 1:
            self.halve()
        self.d = 4 * self.d // self.m if self.m else 2**20
        self.m = 4

    def expect(self, z):
        self.centre = 0
        if self.n:
            spread = self.n * self.zz - self.z * self.z + self.n * 2**32
            slope = (self.n * self.zy - self.z * self.y) // max(spread >> 10, 1)
            at = clamp(slope, 2**14) * (z - self.z // self.n) >> 10
            self.centre = clamp(self.y // self.n + at, 2**24)
        self.width = max(3 * self.d // (4 * self.m), 16)

    def follow(self, z, value):
        y = size_of(value % 2**31) * (-1 if value >> 31 else 1)
        self.d, self.m = self.d + abs(y - self.centre), self.m + 1
        if self.m > 32:
            self.d, self.m = self.d >> 1, self.m >> 1
        self.n, self.z, self.zz = self.n + 1, self.z + z, self.zz + z * z
        self.y, self.zy = self.y + y, self.zy + z * y
        if self.n > 64:
            self.halve()

    def below(self, y):
        return SQUASH[clamp(256 * (y - self.centre) // self.width, 2047) + 2047]

    def chance(self, bits):
        if not bits:
            return self.below(0)
        place = 31 - len(bits)
        start = int("0" + "".join(map(str, bits[1:])), 2) << place + 1
        ends = [size_of(start + i * 2**place) for i in (0, 1, 2)]
        first, middle, last = [-self.below(-y) if bits[0] else self.below(y) for y in ends]
        return 65536 * (last - middle + 1) // (last - first + 2)


def size_of(bits):
    shift = (bits >> 23) - 130
    mantissa = bits % 2**23 + 2**23
    return min(mantissa << shift, 2**24) if shift >= 0 else mantissa >> -shift


def mean(total, count, a, b):
    return (16 * total + a) // (count + b)


def qu(value):
    if value <= 0:
        return 0
    octave = value.bit_length() - 1
    return 1 + 4 * octave + ((value << 2 >> octave) & 3)


def cl(value):
    value = abs(value)
    return next((n for n, last in enumerate((0, 1, 2, 4, 8, 16, 32)) if value <= last), 7)


def tri(value):
    return 0 if value == 0 else 1 if value < 0 else 2


class Levels:
    def __init__(self, mixed, shape, longest, chained=False):
        self.mixed, self.longest, self.chained = mixed, longest, chained
        self.filters = shape[0] if shape else 1
        self.channels = shape[1] if len(shape) > 1 else 1
        self.taps = math.prod(shape[2:])
        self.row = shape[-1] if len(shape) > 2 else 1
        self.found = {}
        self.a = [[0] * 13 for _ in range(self.taps)]
        if mixed.version > 4:
            self.a = mixed.predictors.setdefault((self.taps, self.row), self.a)

    def total(self, places):
        return sum(abs(self.found[place]) for place in places)

    def read(self):
        channels, taps = self.channels, self.taps
        for k in range(self.filters):
            self.chain = 0
            m0 = mean(self.total(self.found), len(self.found), 128, 8)
            tau = []
            for t in range(taps):
                earlier = [(i, c, t) for i in range(k) for c in range(channels)]
                tap = mean(self.total(earlier), k * channels, 8 * m0, 8)
                tau.append(min(256 * tap // max(m0, 1), 65536))
            for c in range(channels):
                m = mean(self.total(self.found), len(self.found), 128, 8)
                filter_so_far = [(k, i, t) for i in range(c) for t in range(taps)]
                f = mean(self.total(filter_so_far), c * taps, 6 * m, 6)
                for t in range(taps):
                    x = self.found[k, c, t] = self.level(k, c, t, m, f, tau[t])
                    self.chain = self.chain >> 1 ^ 18 * (x % 2) ^ 4 * (x // 2 % 2)
        return list(self.found.values())

    def at(self, k, c, t):
        return self.found.get((k, c, t), 0)

    def level(self, k, c, t, m, f, tau):
        taps = self.taps
        kernel = [(k, c, i) for i in range(t)]
        channel = [(i, c, j) for i in range(k) for j in range(taps)] + kernel
        earlier = [(i, c, t) for i in range(k)]
        h = mean(self.total(channel), k * taps + t, 6 * m, 6)
        q = (16 * self.total(earlier) + 3 * m) * (65536 // (k + 3)) >> 16
        n = mean(self.total(kernel), t, 2 * m, 2)
        e = f * h // max(m, 1) * tau >> 8
        r, s = divmod(t, self.row)

        def inside(row, column):
            at = row * self.row + column
            return self.at(k, c, at) if row >= 0 and 0 <= column < self.row and at < t else 0

        near = inside(r, s - 1), inside(r - 1, s), inside(r - 1, s - 1), inside(r - 1, s + 1)
        left, up = near[:2]
        cs = [self.at(k, c - i, t) for i in (1, 2, 3, 4)]
        fs = [self.at(k - i, c, t) for i in (1, 2, 3)]
        signed = sum(self.found[place] for place in earlier) * (65536 // (k + 2)) >> 16
        before = [*near, self.at(k, c, t - 2)]
        if self.mixed.version > 4:
            before = [self.at(k, c, t - i) for i in range(1, 9)]
        y = [*before, cs[0], cs[1], fs[0], fs[1], signed]
        a = self.a[t]
        guess = clamp(sum(i * j for i, j in zip(a, y, strict=False)) >> 12, 2**19)
        big = max(e, 16)
        g = clamp((12 * guess + (big >> 1)) // big, 15)
        around = 3 * (abs(left) + abs(up)) + abs(near[2]) + abs(near[3])
        around += 2 * abs(cs[0]) + abs(cs[1]) + abs(cs[2])
        around += 2 * abs(fs[0]) + abs(fs[1]) + abs(fs[2])
        eps, tap = min(qu(4 * e), 63), min(t, 9)
        self.e, self.eps, self.g = e, eps, g
        values = [
            32 * min(qu(2 * f) >> 1, 31) + min(qu(2 * h) >> 1, 31),
            64 * cl(left) + 8 * cl(up) + cl(near[2]),
            16 * min(qu(2 * q), 63) + min(qu(2 * n) >> 2, 15),
            32 * (eps >> 1) + (min(qu(4 * around), 63) >> 1),
            64 * cl(left) + 8 * cl(cs[0]) + cl(fs[0]),
            64 * abs(g) + eps,
            min(abs(guess) + 2 >> 2, 63),
        ]
        of_sign = [
            27 * tri(left) + 9 * tri(up) + 3 * tri(near[2]) + tri(near[3]),
            9 * tri(fs[0]) + 3 * tri(fs[1]) + tri(fs[2]),
            3 * cl(fs[0]) + tri(fs[0]),
            clamp(2 * (left + up) - near[2], 15) + 16,
            clamp(8 * sum(cs) // max(m, 1), 15) + 16,
            g + 16,
            32 * (g + 16) + (eps >> 1),
        ]
        x = self.code(values, of_sign, (eps >> 1, tap), (tap, cl(left)), left, guess)
        if any(y):
            power = (big * big >> 6) + sum(i * i for i in y)
            step = 2**16 * (16 * x - guess) // (50 * power)
            a[:] = [clamp(i + (step * j >> 4), 2**20) for i, j in zip(a, y, strict=False)]
        return x

    def code(self, values, of_sign, sets, sign_sets, left, guess):
        def bit(node, values, sets, *size):
            names = [("level", "fresh", *size, node)]
            names += [("level", n, value, node) for n, value in enumerate(values, 1)]
            too = self.g + 16 >> 1 if node == 24 else self.eps >> 2
            sets = [(n, s, node) for n, s in enumerate(sets)]
            return self.mixed.mixed(names, sets, node, (too, node), self.mixed.uses)

        def agree(negative):
            values[1] += 512 * ((left < 0) == negative)
            values[5] += 1024 * ((guess < 0) == negative)
            values[6] += 64 * ((guess < 0) == negative)

        if self.mixed.version > 5:
            return self.code_sign_first(bit, agree, values, of_sign, sets, sign_sets)
        if self.mixed.version > 3:
            return self.code_from_middle(bit, values, of_sign, sets, sign_sets)
        if not bit(0, values, sets):
            return 0
        negative = bool(bit(1, of_sign, sign_sets))
        agree(negative)
        length = 1
        while length < self.longest and bit(2 + length, values, sets):
            length += 1
        x = 1
        for place in range(length - 2, -1, -1):
            first = place == length - 2
            found = (
                bit(18 + length, values, sets) if first else self.mixed.plain("low", length, place)
            )
            x = 2 * x + found
        return -x if negative else x

    def length(self, bit, values, least, large):
        m = min((3 * self.e >> (7 if self.chained else 6)).bit_length(), self.longest - 1)
        m = max(m, least)
        taken = 0

        def more(first, i):
            nonlocal taken
            taken += 1
            node = first + self.node(i)
            return self.expected(node) if m >= large and taken > 2 else bit(node, values)

        if m == self.longest:
            return m
        length = m
        if more(0, m):
            length = m + 1
            while length < self.longest and more(8, length):
                length += 1
        else:
            while length > least and not more(16, length - 1):
                length -= 1
        return length

    def node(self, i):
        return min(i, 3) + 4 * (self.chain % 2) if self.chained else min(i, 7)

    def expected(self, node):
        return self.mixed.plain("expected", self.eps, node)

    def code_from_middle(self, bit, values, of_sign, sets, sign_sets):
        odd = self.chained and self.chain % 2
        length = self.length(lambda node, values: bit(node, values, sets), values, 0, 2)
        if length == 0 and not odd:
            return 0
        s = min(length + self.chained, 8) - 1
        of_sign[5] = of_sign[5], s
        negative = bit(24, of_sign, sign_sets, s)
        return self.whole(length, negative, self.expected)

    def code_sign_first(self, bit, agree, values, of_sign, sets, sign_sets):
        told = self.chain % 2 if self.chained else -1
        if told < 1:
            often = 3 * self.e >> (7 if self.chained else 6) < 12
            if not (bit(0, values, sets) if often else self.expected(0)):
                return 0
        of_sign[5] = of_sign[5], told + 1
        negative = bit(24, of_sign, sign_sets, told + 1)
        agree(bool(negative))
        least = 0 if told == 1 else 1
        length = self.length(lambda node, values: bit(node, values, sets), values, least, 4)
        return self.whole(length, negative, lambda node: bit(node, values, sets))

    def whole(self, length, negative, high):
        x = min(length, 1)
        for place in range(length - 2, -1, -1):
            first = place == length - 2
            x = 2 * x + (
                high(32 + min(place, 7)) if first else self.mixed.plain("low", length, place)
            )
        if self.chained:
            x = 2 * x + self.chain % 2
        return -x if negative else x
