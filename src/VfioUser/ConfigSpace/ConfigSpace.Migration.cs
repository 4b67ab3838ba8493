namespace VfioUser;

public sealed partial class ConfigSpace
{
    /// <summary>
    /// Restores the bits that a guest can change from the source of a migration. Command thread; calls no handler, since
    /// the device is told of the restore itself.
    /// </summary>
    /// <exception cref="InvalidDataException">The device cannot be like that.</exception>
    /// <param name="saved">All of the source's configuration space, as long as this one.</param>
    internal void Restore(ReadOnlySpan<byte> saved)
    {
        // these say which bits of an address there are
        ResizableBars?.Restore(saved);
        Sriov?.Restore(saved);
        for (int i = 0; i < saved.Length; i++)
        {
            byte mask = (byte)(_writeMask[i] | _clearMask[i]);
            if (mask != 0)
                SetBits(i, mask, saved[i]);
        }

        foreach (NamedPart register in _registers.Where(register => register.Layout.Saved))
            register.Replace(0, saved.Slice((int)register.Start, (int)register.Length));

        PowerManagement?.OnReset();
    }
}
