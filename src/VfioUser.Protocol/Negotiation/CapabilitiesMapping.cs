using System.Globalization;
using System.Numerics;

namespace VfioUser.Protocol;

/// <summary>Converts between the keys of the JSON text and <see cref="Capabilities"/>, and checks ranges.</summary>
internal static class CapabilitiesMapping
{
    /// <returns>Null, or what is wrong; then <paramref name="capabilities"/> is unspecified.</returns>
    public static string? TryFromJson(CapabilitiesJson json, out Capabilities capabilities)
    {
        capabilities = Capabilities.Unspecified;
        if (json.MaxMsgFds is < 0)
            return Bad("max_msg_fds", json.MaxMsgFds, "not below 0");
        if (json.MaxDataXferSize is < 1)
            return Bad("max_data_xfer_size", json.MaxDataXferSize, "at least 1");
        if (json.MaxDmaMaps is < 0)
            return Bad("max_dma_maps", json.MaxDmaMaps, "not below 0");
        if (json.Pgsizes is 0)
            return Bad("pgsizes", json.Pgsizes, "one page size at least");
        if (json.Migration?.Pgsize is { } pageSize && !BitOperations.IsPow2(pageSize))
            return Bad("migration.pgsize", pageSize, "a power of two");

        Capabilities result = new() { TwinSocket = FromJson(json.TwinSocket), Migration = FromJson(json.Migration) };
        // Clamped, not refused: a peer that accepts more descriptors than Linux can send does no harm. (QEMU sends 16;
        // libvfio-user refuses more than 1024.)
        if (json.MaxMsgFds is { } fds)
            result = result with { MaxMessageFds = (int)Math.Min(fds, ProtocolLimits.MaxScmFds) };
        if (json.MaxDataXferSize is { } transfer)
            result = result with { MaxDataTransferSize = transfer };
        if (json.MaxDmaMaps is { } maps)
            result = result with { MaxDmaMaps = maps };
        if (json.Pgsizes is { } sizes)
            result = result with { PageSizes = sizes };
        if (json.WriteMultiple is { } multiple)
            result = result with { WriteMultiple = multiple };
        capabilities = result;
        return null;
    }

    public static CapabilitiesJson ToJson(Capabilities capabilities)
    {
        CapabilityKeys present = capabilities.Present;
        CapabilitiesJson json = new();
        if (present.HasFlag(CapabilityKeys.MaxMessageFds))
            json.MaxMsgFds = capabilities.MaxMessageFds;
        if (present.HasFlag(CapabilityKeys.MaxDataTransferSize))
            json.MaxDataXferSize = capabilities.MaxDataTransferSize;
        if (present.HasFlag(CapabilityKeys.MaxDmaMaps))
            json.MaxDmaMaps = capabilities.MaxDmaMaps;
        if (present.HasFlag(CapabilityKeys.PageSizes))
            json.Pgsizes = capabilities.PageSizes;
        if (present.HasFlag(CapabilityKeys.WriteMultiple))
            json.WriteMultiple = capabilities.WriteMultiple;
        if (capabilities.TwinSocket is { } twin)
            json.TwinSocket = ToJson(twin);
        if (capabilities.Migration is { } migration)
            json.Migration = ToJson(migration);
        return json;
    }

    private static TwinSocketCapability? FromJson(TwinSocketJson? json) =>
        json is null ? null : new TwinSocketCapability(json.Supported ?? false, json.FdIndex);

    private static MigrationCapability? FromJson(MigrationJson? json) =>
        json is null ? null : new MigrationCapability { PageSize = json.Pgsize, MaxBitmapSize = json.MaxBitmapSize };

    private static TwinSocketJson ToJson(TwinSocketCapability twin)
    {
        TwinSocketJson json = new() { Supported = twin.Supported };
        if (twin.FdIndex is { } index)
            json.FdIndex = index;
        return json;
    }

    private static MigrationJson ToJson(MigrationCapability migration)
    {
        MigrationJson json = new();
        if (migration.PageSize is { } size)
            json.Pgsize = size;
        if (migration.MaxBitmapSize is { } bitmap)
            json.MaxBitmapSize = bitmap;
        return json;
    }

    private static string Bad(string key, IFormattable? value, string range) =>
        $"{key} is {value?.ToString(null, CultureInfo.InvariantCulture)}; it must be {range}";
}
