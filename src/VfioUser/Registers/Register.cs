using System.Numerics;
using System.Runtime.CompilerServices;

namespace VfioUser;

/// <summary>A register of a region: a value with a mask of what the guest may change.</summary>
/// <typeparam name="T">Its width.</typeparam>
/// <remarks>Any thread: the device may change it while the guest accesses it, and no bit is lost.</remarks>
public sealed class Register<T>
    where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>
{
    internal Register(ulong offset, RegisterOptions<T> options)
    {
        int width = Unsafe.SizeOf<T>();
        if (width > sizeof(ulong))
            throw new ArgumentException($"A register has 1, 2, 4 or 8 bytes, not {width}.");
        if (offset % (ulong)width != 0)
            throw new ArgumentException($"A register of {width} bytes lies at a multiple of that, 0x{offset:x} is none.", nameof(offset));
        Func<ulong>? onRead = options.OnRead is { } read ? () => ulong.CreateTruncating(read()) : null;
        Action<ulong>? onWrite = options.OnWrite is { } write ? value => write(T.CreateTruncating(value)) : null;
        Part = new RegisterPart(offset, width, options.Access, ulong.CreateTruncating(options.ResetValue),
            ulong.CreateTruncating(options.WriteMask), onRead, onWrite);
    }

    /// <summary>What the register holds. The device may set any bit, whatever the guest may do.</summary>
    public T Value
    {
        get => T.CreateTruncating(Part.Value);
        set => Part.Value = ulong.CreateTruncating(value);
    }

    internal RegisterPart Part { get; }

    /// <summary>Sets bits and leaves the others alone, whatever other threads and the guest do meanwhile.</summary>
    public void SetBits(T bits) => Part.SetBits(ulong.CreateTruncating(bits));

    /// <summary>Clears bits and leaves the others alone.</summary>
    public void ClearBits(T bits) => Part.ClearBits(ulong.CreateTruncating(bits));
}
