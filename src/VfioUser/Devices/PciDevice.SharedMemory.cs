namespace VfioUser;

/// <content>Guest memory for other processes.</content>
public abstract partial class PciDevice
{
    /// <summary>Whether the server keeps the descriptors of the client's memory, for <see cref="Dma.TryDuplicateDescriptor"/>. False by
    /// default: a file that is mapped needs none.</summary>
    /// <exception cref="InvalidOperationException">It is set while the device is being served.</exception>
    /// <remarks>Set it at setup; read it on any thread. One descriptor for each file of the client, within half of what the process may
    /// open; beyond that memory has none.</remarks>
    protected bool KeepsDmaDescriptors
    {
        get => Dma.KeepsDescriptors;
        set
        {
            ThrowIfServed();
            Dma.KeepsDescriptors = value;
        }
    }
}
