using VfioUser;

namespace E1000.Device;

/// <summary>A ring of descriptors of 16 bytes in guest memory: the card takes those from its head up to the tail.</summary>
internal sealed class DescriptorRing
{
    private const uint DescriptorSize = 16;

    private readonly Register<ulong> _base;
    private readonly Register<uint> _length, _head, _tail;

    /// <param name="csr">The registers of the card.</param>
    /// <param name="offset">Of the ring's registers.</param>
    /// <param name="prefix">Of their names: RD or TD.</param>
    /// <param name="tailWritten">Called when there may be more descriptors.</param>
    public DescriptorRing(RegisterBlock csr, long offset, string prefix, Action tailWritten)
    {
        _base = csr.AddRegister<ulong>(offset, new() { Name = $"{prefix}BA", WriteMask = ~0xFul });
        _length = csr.AddRegister<uint>(offset + 0x08, new() { Name = $"{prefix}LEN", WriteMask = 0xFFF80 });
        _head = csr.AddRegister<uint>(offset + 0x10, new() { Name = $"{prefix}H", WriteMask = 0xFFFF });
        _tail = csr.AddRegister<uint>(offset + 0x18, new() { Name = $"{prefix}T", WriteMask = 0xFFFF, OnWrite = _ => tailWritten() });
    }

    public uint Count => _length.Value / DescriptorSize;

    /// <summary>How many descriptors are the card's. None if the guest wrote numbers that make no ring.</summary>
    public uint Ready
    {
        get
        {
            uint count = Count;
            uint head = _head.Value;
            uint tail = _tail.Value;
            if (head >= count || tail >= count)
                return 0;
            return tail >= head ? tail - head : tail + count - head;
        }
    }

    /// <summary>Address of the first descriptor that is the card's.</summary>
    public Iova Next => new(_base.Value + (_head.Value * DescriptorSize));

    /// <summary>The first one is the guest's again.</summary>
    public void Advance() => _head.Value = _head.Value + 1 == Count ? 0 : _head.Value + 1;
}
