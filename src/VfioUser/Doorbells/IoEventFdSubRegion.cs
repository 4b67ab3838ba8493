using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>A sub-region whose writes signal an ioeventfd.</summary>
internal sealed class IoEventFdSubRegion : IoFdSubRegion
{
    private readonly IoEventFdFlags _flags;
    private readonly ulong? _datamatch;
    private readonly SharedMemory? _shadow;
    private readonly long _shadowOffset;

    public IoEventFdSubRegion(RegionIoEventFd ioEventFd, long offset, IoEventFdOptions options, bool isIoSpace)
        : base(offset, options.Size, ioEventFd)
    {
        Target = ioEventFd;
        _datamatch = options.Datamatch;
        _shadow = options.Shadow;
        _shadowOffset = options.ShadowOffset;
        _flags = (isIoSpace ? IoEventFdFlags.Pio : 0) | (_datamatch is null ? 0 : IoEventFdFlags.Datamatch);
        ShadowFd = _shadow is null ? null : new FixedFd(_shadow.File);
    }

    public RegionIoEventFd Target { get; }

    public override IFdSource? ShadowFd { get; }

    /// <summary>Whether some write would match both.</summary>
    public bool Collides(IoEventFdSubRegion other) => Offset == other.Offset && (Size == 0 || other.Size == 0 || Size == other.Size)
        && (_datamatch is null || other._datamatch is null || _datamatch == other._datamatch);

    /// <summary>Whether a write to its offset signals it, by KVM's rules.</summary>
    public bool Matches(ReadOnlySpan<byte> source) =>
        (Size == 0 ? source.Length is 1 or 2 or 4 or 8 : source.Length == Size)
        && (_datamatch is null || _datamatch == Load(source));

    /// <summary>Handles a write that arrived by message: stores the shadow value, and signals.</summary>
    public void Signal(ReadOnlySpan<byte> source)
    {
        if (_shadow is not null)
            Store(_shadow.Slice((ulong)_shadowOffset, sizeof(ulong)), source);
        Target.SignalFromMessage();
    }

    public override void Write(Span<byte> entry, uint fdIndex) =>
        WireFormat.Write(entry, new IoEventFd((ulong)Offset, (ulong)Size, fdIndex, IoFdType.IoEventFd, _flags, 0, _datamatch ?? 0));

    public override void WriteLong(Span<byte> entry, uint fdIndex, uint shadowIndex) =>
        WireFormat.Write(entry, new IoEventFdShadow((ulong)Offset, (ulong)Size, fdIndex, _shadow is null ? IoFdType.IoEventFd : IoFdType.IoEventFdShadow,
            _flags, shadowIndex, _shadow is null ? 0 : _shadow.FileOffset + (ulong)_shadowOffset, _datamatch ?? 0));

    private static ulong Load(ReadOnlySpan<byte> source) => source.Length switch
    {
        sizeof(byte) => source[0],
        sizeof(ushort) => MemoryMarshal.Read<ushort>(source),
        sizeof(uint) => MemoryMarshal.Read<uint>(source),
        _ => MemoryMarshal.Read<ulong>(source),
    };

    // with a single store, as the guest's processor would
    private static void Store(Span<byte> destination, ReadOnlySpan<byte> source)
    {
        switch (source.Length)
        {
            case sizeof(byte):
                destination[0] = source[0];
                break;
            case sizeof(ushort):
                Volatile.Write(ref MemoryMarshal.AsRef<ushort>(destination), MemoryMarshal.Read<ushort>(source));
                break;
            case sizeof(uint):
                Volatile.Write(ref MemoryMarshal.AsRef<uint>(destination), MemoryMarshal.Read<uint>(source));
                break;
            default:
                Volatile.Write(ref MemoryMarshal.AsRef<ulong>(destination), MemoryMarshal.Read<ulong>(source));
                break;
        }
    }
}
