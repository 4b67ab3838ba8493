using System.Runtime.CompilerServices;
using VfioUser.Protocol;

namespace VfioUser.Client;

/// <content>Device features and migration.</content>
public sealed partial class VfioUserClient
{
    private const int StackData = 64;

    /// <summary>Asks whether the device has a feature. Spec: VFIO_USER_DEVICE_FEATURE.</summary>
    /// <param name="feature">Which one.</param>
    /// <param name="methods">The methods that it must support: <see cref="DeviceFeatureFlags.Get"/>, <see cref="DeviceFeatureFlags.Set"/>, both or none.</param>
    /// <returns>False when the server replies EINVAL or EOPNOTSUPP.</returns>
    /// <exception cref="VfioUserException">Any other error, or no reply.</exception>
    public bool ProbeFeature(DeviceFeatureId feature, DeviceFeatureFlags methods = DeviceFeatureFlags.None)
    {
        Span<byte> request = stackalloc byte[DeviceFeature.WireSize];
        WireFormat.Write(request, new DeviceFeature(DeviceFeature.WireSize, FlagsOf(feature, methods | DeviceFeatureFlags.Probe)));
        try
        {
            using Reply reply = Call(Command.DeviceFeature, request);
            return true;
        }
        catch (VfioUserException e) when (e.Errno is Errno.EINVAL or Errno.EOPNOTSUPP)
        {
            return false;
        }
    }

    /// <summary>Gets a feature. Spec: VFIO_USER_DEVICE_FEATURE.</summary>
    /// <typeparam name="T">The wire structure of the feature's data.</typeparam>
    public T GetFeature<T>(DeviceFeatureId feature)
        where T : unmanaged
    {
        Span<byte> request = stackalloc byte[DeviceFeature.WireSize];
        WireFormat.Write(request, new DeviceFeature((uint)(DeviceFeature.WireSize + Unsafe.SizeOf<T>()), FlagsOf(feature, DeviceFeatureFlags.Get)));
        using Reply reply = Call(Command.DeviceFeature, request);
        return Parse<T>(Command.DeviceFeature, DataOf(reply));
    }

    /// <summary>Sets a feature, and returns the structure in the reply. Spec: VFIO_USER_DEVICE_FEATURE.</summary>
    /// <typeparam name="T">The wire structure of the feature's data.</typeparam>
    /// <param name="feature">Which one.</param>
    /// <param name="data">The structure to send.</param>
    /// <param name="tail">Bytes that follow the structure.</param>
    /// <returns>The structure in the reply; the server may have changed it.</returns>
    public T SetFeature<T>(DeviceFeatureId feature, T data, ReadOnlySpan<byte> tail = default)
        where T : unmanaged
    {
        int length = DeviceFeature.WireSize + Unsafe.SizeOf<T>();
        Span<byte> request = stackalloc byte[StackData];
        request = length <= request.Length ? request[..length] : new byte[length];
        WireFormat.Write(request, new DeviceFeature((uint)(length + tail.Length), FlagsOf(feature, DeviceFeatureFlags.Set)));
        WireFormat.Write(request[DeviceFeature.WireSize..], data);
        using Reply reply = Call(Command.DeviceFeature, request, tail);
        return Parse<T>(Command.DeviceFeature, DataOf(reply));
    }

    /// <summary>Gets the optional migration states that the device supports. Spec: VFIO_DEVICE_FEATURE_MIGRATION.</summary>
    /// <returns><see cref="MigrationFlags.None"/> when it cannot be migrated.</returns>
    public MigrationFlags GetMigrationFlags() => ProbeFeature(DeviceFeatureId.Migration, DeviceFeatureFlags.Get)
        ? GetFeature<MigrationFeature>(DeviceFeatureId.Migration).Flags : MigrationFlags.None;

    /// <summary>Gets the device's migration state. Spec: VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE.</summary>
    public MigrationState GetMigrationState() => GetFeature<MigrationDeviceState>(DeviceFeatureId.MigDeviceState).State;

    /// <summary>Moves the device to a migration state and waits until it is there. Spec: VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE.</summary>
    /// <param name="state">Any that the device has, but not <see cref="MigrationState.Error"/>.</param>
    /// <exception cref="VfioUserException">No transition leads there, or the device failed on one: <see cref="GetMigrationState"/> gives its state.</exception>
    public void SetMigrationState(MigrationState state) =>
        SetFeature(DeviceFeatureId.MigDeviceState, new MigrationDeviceState(state, 0));

    /// <summary>Gets how many bytes there are to read once the device is stopped; an estimate. Source: VFIO_DEVICE_FEATURE_MIG_DATA_SIZE of <c>linux/vfio.h</c>.</summary>
    public ulong GetMigrationDataSize() => GetFeature<MigrationDataSize>(DeviceFeatureId.MigDataSize).StopCopyLength;

    /// <summary>Gets how much is left to read in pre-copy. A server must have the command enabled: it is not in the specification.</summary>
    public PreCopyInfo GetPreCopyInfo()
    {
        Span<byte> request = stackalloc byte[PreCopyInfo.WireSize];
        WireFormat.Write(request, new PreCopyInfo(PreCopyInfo.WireSize, 0, 0, 0));
        using Reply reply = Call(PreCopyInfo.Command, request);
        return Parse<PreCopyInfo>(PreCopyInfo.Command, reply.Payload);
    }

    /// <summary>Reads migration data from a device in <see cref="MigrationState.PreCopy"/> or <see cref="MigrationState.StopCopy"/>.</summary>
    /// <param name="destination">At most what <see cref="Limits"/> allow.</param>
    /// <returns>Bytes read. Fewer than asked for: there is no more, or in pre-copy no more for now. Spec: VFIO_USER_MIG_DATA_READ.</returns>
    public int ReadMigrationData(Span<byte> destination)
    {
        Span<byte> request = stackalloc byte[MigrationData.WireSize];
        WireFormat.Write(request, new MigrationData((uint)(MigrationData.WireSize + destination.Length), (uint)destination.Length));
        using Reply reply = Call(Command.MigDataRead, request);
        MigrationData done = Parse<MigrationData>(Command.MigDataRead, reply.Payload);
        ReadOnlySpan<byte> data = reply.Payload[MigrationData.WireSize..];
        // libvfio-user always sends as many bytes as were asked for, but sets size right
        if (done.Size > (uint)destination.Length || done.Size > (uint)data.Length)
            throw new VfioUserException(Command.MigDataRead, Errno.EBADMSG);
        data[..(int)done.Size].CopyTo(destination);
        return (int)done.Size;
    }

    /// <summary>Writes migration data to a device in <see cref="MigrationState.Resuming"/>. Spec: VFIO_USER_MIG_DATA_WRITE.</summary>
    /// <param name="source">Of any length: sent in as many messages as <see cref="Limits"/> require.</param>
    public void WriteMigrationData(ReadOnlySpan<byte> source)
    {
        Span<byte> request = stackalloc byte[MigrationData.WireSize];
        int most = Math.Min(Limits.MaxTransferToSend, Limits.MaxTransferToReceive);
        while (!source.IsEmpty)
        {
            int count = Math.Min(source.Length, most);
            WireFormat.Write(request, new MigrationData((uint)(MigrationData.WireSize + count), (uint)count));
            using Reply reply = Call(Command.MigDataWrite, request, source[..count]);
            source = source[count..];
        }
    }

    private static DeviceFeatureFlags FlagsOf(DeviceFeatureId feature, DeviceFeatureFlags methods) => (DeviceFeatureFlags)feature | methods;

    private static ReadOnlySpan<byte> DataOf(in Reply reply) => reply.Payload.Length >= DeviceFeature.WireSize
        ? reply.Payload[DeviceFeature.WireSize..] : throw new VfioUserException(Command.DeviceFeature, Errno.EBADMSG);
}
