namespace VfioUser;

/// <content>What the device is made of.</content>
public abstract partial class PciDevice
{
    private readonly List<DevicePart> _parts = [];

    internal void AddPart(DevicePart part)
    {
        ThrowIfServed();
        _parts.Add(part);
    }

    // Calls all of them, even if one throws. The exception names the callback, since the caller that reports it does not know it.
    private void Call<T>(DeviceCallback callback, Action<DevicePart, T> callPart, Action<PciDevice, T> call, T argument)
    {
        Exception? first = null;
        foreach (DevicePart part in _parts)
        {
            try
            {
                callPart(part, argument);
            }
            catch (Exception e)
            {
                first ??= e;
            }
        }
        try
        {
            call(this, argument);
        }
        catch (Exception e)
        {
            first ??= e;
        }
        if (first is not null)
            throw new DeviceCodeException(callback, first);
    }
}
