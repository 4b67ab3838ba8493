using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>The configuration structure of a virtio device, which its driver reads.</summary>
/// <typeparam name="T">A structure as the specification lays it out for the type of the device; little-endian.</typeparam>
/// <remarks>Any thread. VIRTIO 1.3 2.5 "Device Configuration Space".</remarks>
public sealed class VirtioConfig<T>
    where T : unmanaged
{
    private readonly VirtioDevice _device;
    private readonly Lock _lock = new();
    private T _value;

    internal VirtioConfig(VirtioDevice device, T initial) => (_device, _value) = (device, initial);

    /// <summary>What the driver reads. Setting another value interrupts the driver, which reads it again.</summary>
    public T Value
    {
        get
        {
            lock (_lock)
                return _value;
        }

        set
        {
            lock (_lock)
            {
                _value = value;
                _device.SetConfig(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
            }
            _device.InterruptConfig();
        }
    }

    /// <summary>Sets what the driver reads, without an interrupt: the driver has changed it itself.</summary>
    internal void SetUnnoticed(T value)
    {
        lock (_lock)
        {
            _value = value;
            _device.SetConfig(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
        }
    }
}
