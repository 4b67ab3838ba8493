namespace VfioUser;

public sealed partial class ConfigSpace
{
    /// <summary>
    /// Restores the bits that a guest can change from the source of a migration. Command thread; calls no handler, since
    /// <see cref="PciDevice.OnRestored"/> is called afterwards.
    /// </summary>
    /// <exception cref="InvalidDataException">This device cannot have the saved values.</exception>
    /// <param name="saved">All of the source's configuration space, as long as this one.</param>
    internal void Restore(ReadOnlySpan<byte> saved)
    {
        // first, since they change which address bits of the BARs a guest can write
        ResizableBars?.Restore(saved);
        Sriov?.Restore(saved);
        for (int i = 0; i < saved.Length; i++)
        {
            byte mask = (byte)(_writeMask[i] | _clearMask[i]);
            if (mask != 0)
                SetBits(i, mask, saved[i]);
        }

        foreach (NamedPart register in _registers.Where(register => register.Layout.Migration != RegisterMigration.Skip))
            register.Replace(0, saved.Slice((int)register.Start, (int)register.Length));

        PowerManagement?.OnReset();
    }
}
